// LLVM unrolls short loops of known length before its vectoriser runs, and then
// finds a worse loop to vectorise around what is left. Loops that are long
// enough for vectors are kept.
#include "effc/Target/CPU/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"

namespace effc {
#define GEN_PASS_DEF_ANNOTATELOOPS
#include "effc/Target/CPU/Passes.h.inc"
} // namespace effc

using namespace mlir;

// The lanes of a vector on the smallest machine.
static constexpr int64_t minVectorTrips = 8;
// And of one on the largest.
static constexpr int64_t maxLanes = 16;

static std::optional<int64_t> getTrips(scf::ForOp loop) {
  std::optional<llvm::APInt> trips = loop.getStaticTripCount();
  return trips ? std::optional<int64_t>(trips->getSExtValue()) : std::nullopt;
}

/// Whether the loop is the one to vectorise: scalar, and all loops inside are
/// short enough to be unrolled.
static bool isVectorLoop(scf::ForOp loop) {
  std::optional<int64_t> trips = getTrips(loop);
  if (!trips || *trips < minVectorTrips)
    return false;
  WalkResult result = loop.getBody()->walk([](Operation *op) {
    auto inner = dyn_cast<scf::ForOp>(op);
    if (inner && getTrips(inner).value_or(minVectorTrips) >= minVectorTrips)
      return WalkResult::interrupt();
    // Tiles are vectors already, or registers of AMX.
    bool vectors =
        isa<LLVM::CallIntrinsicOp>(op) ||
        llvm::any_of(op->getResultTypes(), llvm::IsaPred<VectorType>);
    return vectors ? WalkResult::interrupt() : WalkResult::advance();
  });
  return !result.wasInterrupted();
}

static constexpr StringLiteral annotationName = "llvm.loop_annotation";

/// Conversion hands the annotation down to the branch back, under a name that
/// translation to LLVM IR does not look at.
static void takeOver(Operation *branch) {
  auto annotation =
      branch->getAttrOfType<LLVM::LoopAnnotationAttr>(annotationName);
  if (!annotation)
    return;
  branch->removeAttr(annotationName);
  if (auto jump = dyn_cast<LLVM::BrOp>(branch))
    jump.setLoopAnnotationAttr(annotation);
  else if (auto conditional = dyn_cast<LLVM::CondBrOp>(branch))
    conditional.setLoopAnnotationAttr(annotation);
}

/// How many vectors of a loop's sums stand side by side. Where it must not
/// unroll LLVM does not do that by itself, and each addition waits for the one
/// before.
static int32_t getInterleave(scf::ForOp loop) {
  if (loop.getInits().empty())
    return 1;
  int64_t trips = *getTrips(loop);
  return trips >= 8 * maxLanes ? 4 : trips >= 4 * maxLanes ? 2 : 1;
}

/// No unrolling before vectorisation. The vector loops may be unrolled, but not
/// those of sums: what stands side by side would become one chain again.
static LLVM::LoopAnnotationAttr makeAnnotation(MLIRContext *context,
                                               int32_t interleave) {
  auto get = [&](LLVM::LoopVectorizeAttr vectorize,
                 LLVM::LoopInterleaveAttr vectors, LLVM::LoopUnrollAttr unroll,
                 BoolAttr mustProgress) {
    return LLVM::LoopAnnotationAttr::get(context, {}, vectorize, vectors,
                                         unroll, {}, {}, {}, {}, {}, {},
                                         mustProgress, {}, {}, {}, {});
  };
  auto yes = BoolAttr::get(context, true);
  auto whole = LLVM::LoopUnrollAttr::get(context, yes, {}, {}, {}, {}, {}, {});
  LLVM::LoopInterleaveAttr vectors;
  if (interleave > 1)
    vectors = LLVM::LoopInterleaveAttr::get(
        context, IntegerAttr::get(IntegerType::get(context, 32), interleave));
  LLVM::LoopAnnotationAttr after =
      get({}, {}, vectors ? whole : LLVM::LoopUnrollAttr(), yes);
  auto vectorize =
      LLVM::LoopVectorizeAttr::get(context, {}, {}, {}, {}, after, after, {});
  return get(vectorize, vectors, whole, {});
}

namespace {
struct AnnotateLoops : effc::impl::AnnotateLoopsBase<AnnotateLoops> {
  void runOnOperation() override {
    getOperation().walk([&](scf::ForOp loop) {
      if (!isVectorLoop(loop))
        return;
      loop->setAttr(annotationName,
                    makeAnnotation(&getContext(), getInterleave(loop)));
      ++numKept;
    });
    getOperation().walk([](Operation *op) {
      if (isa<LLVM::BrOp, LLVM::CondBrOp>(op))
        takeOver(op);
    });
  }
};
} // namespace
