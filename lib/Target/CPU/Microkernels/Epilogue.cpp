// See Epilogue.h. Ops of arith and math are elementwise, so the vector form of
// an op is the op itself on vector types.
#include "CPU/Microkernels/Epilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace effc;
using effk::EpilogueMap;

static unsigned alignmentOf(Type element) {
  return std::max(1u, element.getIntOrFloatBitWidth() / 8);
}

Value effc::offsetPointer(ImplicitLocOpBuilder &builder, Type element,
                          Value pointer, Value offset) {
  Value i64 = arith::IndexCastOp::create(builder, builder.getI64Type(), offset);
  return LLVM::GEPOp::create(builder, pointer.getType(), element, pointer,
                             ArrayRef<LLVM::GEPArg>{i64});
}

Value effc::pointerOf(ImplicitLocOpBuilder &builder, Value memref) {
  // The form that conversion of memrefs gives; the casts cancel out later.
  Type i64 = builder.getI64Type();
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  auto one = LLVM::LLVMArrayType::get(i64, 1);
  auto descriptor = LLVM::LLVMStructType::getLiteral(
      builder.getContext(), {pointer, pointer, i64, one, one});
  Value value = UnrealizedConversionCastOp::create(builder, descriptor, memref)
                    .getResult(0);
  return LLVM::ExtractValueOp::create(builder, value, ArrayRef<int64_t>{1});
}

Value effc::loadVector(ImplicitLocOpBuilder &builder, VectorType type,
                       Value pointer, Value mask) {
  unsigned alignment = alignmentOf(type.getElementType());
  if (!mask)
    return LLVM::LoadOp::create(builder, type, pointer, alignment);
  Value zero = arith::ConstantOp::create(builder, builder.getZeroAttr(type));
  return LLVM::MaskedLoadOp::create(builder, type, pointer, mask, zero,
                                    alignment);
}

void effc::storeVector(ImplicitLocOpBuilder &builder, Value value,
                       Value pointer, Value mask) {
  unsigned alignment =
      alignmentOf(cast<VectorType>(value.getType()).getElementType());
  if (mask)
    LLVM::MaskedStoreOp::create(builder, value, pointer, mask, alignment);
  else
    LLVM::StoreOp::create(builder, value, pointer, alignment);
}

LogicalResult Epilogue::verify() {
  for (Operation &op : gemm.getEpilogue().front().without_terminator()) {
    if (isa<arith::ConstantOp>(op) ||
        OpTrait::hasElementwiseMappableTraits(&op))
      continue;
    return gemm.emitOpError("cannot vectorise '")
           << op.getName() << "' of the epilogue, expected elementwise ops";
  }
  return success();
}

size_t Epilogue::getCost() {
  // A function of math becomes about 20 instructions.
  size_t cost = 0;
  for (Operation &op : gemm.getEpilogue().front())
    cost += op.getDialect()->getNamespace() == "math" ? 20 : 1;
  return cost;
}

Value Epilogue::loadInput(ImplicitLocOpBuilder &builder, unsigned input,
                          unsigned vector, Value offset) {
  Value memref = gemm.getEpilogueInputs()[input];
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  Value base = gemm.getEpilogueBases()[input];
  Value index = arith::AddIOp::create(builder, base, offset);
  Value pointer =
      offsetPointer(builder, element, pointerOf(builder, memref), index);
  auto map = static_cast<EpilogueMap>(gemm.getMaps()[input]);
  if (map == EpilogueMap::Column || map == EpilogueMap::Element)
    return loadVector(builder, VectorType::get(lanes, element), pointer,
                      masks[vector]);
  Value scalar =
      LLVM::LoadOp::create(builder, element, pointer, alignmentOf(element));
  return vector::BroadcastOp::create(builder, VectorType::get(lanes, element),
                                     scalar);
}

void Epilogue::beginTile(ImplicitLocOpBuilder &builder, Value n,
                         ArrayRef<Value> tileMasks) {
  column = n;
  masks.assign(tileMasks.begin(), tileMasks.end());
  tileInputs.assign(gemm.getMaps().size(), {});
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  for (auto [input, map] : llvm::enumerate(gemm.getMaps())) {
    if (static_cast<EpilogueMap>(map) == EpilogueMap::Scalar)
      tileInputs[input].push_back(loadInput(builder, input, 0, zero));
    if (static_cast<EpilogueMap>(map) != EpilogueMap::Column)
      continue;
    for (unsigned vector = 0; vector < masks.size(); ++vector) {
      Value shift = arith::ConstantIndexOp::create(builder, vector * lanes);
      Value offset = arith::AddIOp::create(builder, n, shift);
      tileInputs[input].push_back(loadInput(builder, input, vector, offset));
    }
  }
}

Value Epilogue::emitVector(ImplicitLocOpBuilder &builder, Value sum, Value m,
                           unsigned vector, ArrayRef<Value> inputs) {
  Block &body = gemm.getEpilogue().front();
  IRMapping mapping;
  auto splat = [&](Value scalar) -> Value {
    auto type = VectorType::get(lanes, scalar.getType());
    return vector::BroadcastOp::create(builder, type, scalar);
  };
  mapping.map(body.getArgument(0), sum);
  if (!body.getArgument(1).use_empty())
    mapping.map(body.getArgument(1), splat(m));
  if (!body.getArgument(2).use_empty()) {
    auto type = VectorType::get(lanes, builder.getIndexType());
    Value steps = vector::StepOp::create(builder, type);
    Value shift = arith::ConstantIndexOp::create(builder, vector * lanes);
    Value first = splat(arith::AddIOp::create(builder, column, shift));
    mapping.map(body.getArgument(2),
                arith::AddIOp::create(builder, first, steps));
  }
  for (auto [argument, value] :
       llvm::zip_equal(body.getArguments().drop_front(3), inputs))
    mapping.map(argument, value);
  auto vectorOf = [&](Value value) {
    if (!mapping.contains(value))
      mapping.map(value, splat(value));
    return mapping.lookup(value);
  };
  for (Operation &op : body.without_terminator()) {
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto type = VectorType::get(lanes, constant.getType());
      auto splatted = DenseElementsAttr::get(type, constant.getValue());
      mapping.map(
          constant.getResult(),
          arith::ConstantOp::create(builder, type, splatted).getResult());
      continue;
    }
    SmallVector<Value> operands =
        llvm::map_to_vector(op.getOperands(), vectorOf);
    SmallVector<Type> types =
        llvm::map_to_vector(op.getResultTypes(), [&](Type type) -> Type {
          return VectorType::get(lanes, type);
        });
    Operation *clone = builder.create(op.getLoc(), op.getName().getIdentifier(),
                                      operands, types, op.getAttrs());
    mapping.map(op.getResults(), clone->getResults());
  }
  return vectorOf(body.getTerminator()->getOperand(0));
}

void Epilogue::emitRow(ImplicitLocOpBuilder &builder, Value m,
                       ArrayRef<Value> sums) {
  Type element = cast<MemRefType>(gemm.getC().getType()).getElementType();
  Value c = pointerOf(builder, gemm.getC());
  auto rowStart = [&](Value base, Value stride) -> Value {
    return arith::AddIOp::create(builder, base,
                                 arith::MulIOp::create(builder, m, stride));
  };
  Value start = rowStart(gemm.getCBase(), gemm.getCStride());
  for (auto [vector, sum] : llvm::enumerate(sums)) {
    Value shift = arith::ConstantIndexOp::create(builder, vector * lanes);
    Value n = arith::AddIOp::create(builder, column, shift);
    SmallVector<Value> inputs;
    for (auto [input, map] : llvm::enumerate(gemm.getMaps())) {
      ArrayRef<Value> ready = tileInputs[input];
      if (!ready.empty()) {
        inputs.push_back(ready.size() == 1 ? ready[0] : ready[vector]);
        continue;
      }
      Value offset =
          arith::MulIOp::create(builder, m, gemm.getEpilogueStrides()[input]);
      if (static_cast<EpilogueMap>(map) == EpilogueMap::Element)
        offset = arith::AddIOp::create(builder, offset, n);
      inputs.push_back(loadInput(builder, input, vector, offset));
    }
    Value value = emitVector(builder, sum, m, vector, inputs);
    Value pointer = offsetPointer(builder, element, c,
                                  arith::AddIOp::create(builder, start, n));
    storeVector(builder, value, pointer, masks[vector]);
  }
}
