// What a handler of OnnxOps.def sees of one ONNX node: checked operands and
// attributes, contents of small integer tensors as size expressions, and a way
// to report what is wrong. Handlers never touch protobuf.
#ifndef EFFC_LIB_IMPORT_NODECONTEXT_H
#define EFFC_LIB_IMPORT_NODECONTEXT_H

#include "Eff/EffOps.h"
#include "NonTensors.h"
#include "effc/Support/DiagnosticCodes.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/SmallBitVector.h"
#include <functional>
#include <map>
#include <optional>

namespace onnx {
class AttributeProto;
class GraphProto;
class NodeProto;
class TensorProto;
} // namespace onnx

namespace effc {

class Importer;
struct ShapeValue;
struct ImportScope;

class NodeContext {
public:
  NodeContext(Importer &importer, ImportScope &scope,
              const onnx::NodeProto &node, int64_t opset,
              mlir::OpBuilder &builder, mlir::Location loc);

  llvm::StringRef opType() const;
  /// "" for ai.onnx.
  llvm::StringRef domain() const;
  /// Version of the operator's domain that the model imports.
  int64_t opset() const { return opsetVersion; }
  mlir::OpBuilder &builder() { return b; }
  mlir::Location loc() const { return location; }
  mlir::MLIRContext *context() const { return b.getContext(); }

  // Operands and results -----------------------------------------------------

  unsigned numInputs() const;
  /// Null when the input is absent or "". Required inputs: `requireInputs`.
  mlir::Value input(unsigned index) const;
  bool hasInput(unsigned index) const { return bool(input(index)); }
  /// The elements of a sequence, or null.
  const ValueList *inputList(unsigned index) const;
  bool readsLists() const;
  /// Fails, with a diagnostic, unless inputs 0 to count - 1 are present and
  /// there are no more than `max` inputs (default: `count`).
  mlir::LogicalResult requireInputs(unsigned count,
                                    std::optional<unsigned> max = {});
  unsigned numOutputs() const;
  /// The output is named, thus possibly read.
  bool outputUsed(unsigned index) const;
  llvm::StringRef outputName(unsigned index) const;
  /// Fails when `value` is null (its construction failed and was reported).
  mlir::LogicalResult setOutput(unsigned index, mlir::Value value);
  /// A result that is no tensor.
  mlir::LogicalResult setOutput(unsigned index, NonTensor value);
  /// What value_info or the graph's outputs say of a result: the type, with
  /// null expressions for sizes that no known symbol names. Null when nothing
  /// is declared. A hint, for operands that are only known at run time.
  mlir::Type declaredElementType(unsigned output) const;
  std::optional<eff::Dims> declaredDims(unsigned output) const;
  /// The same of the rank alone, which declarations of later results may tell.
  std::optional<int64_t> declaredRank(unsigned output) const;

  // Attributes. A mistyped attribute is reported and counts as absent; an
  // attribute that the handler never asks for is reported as unknown. ---------

  bool hasAttr(llvm::StringRef name) const;
  std::optional<int64_t> attrInt(llvm::StringRef name);
  int64_t attrInt(llvm::StringRef name, int64_t fallback);
  bool attrBool(llvm::StringRef name, bool fallback);
  std::optional<double> attrFloat(llvm::StringRef name);
  double attrFloat(llvm::StringRef name, double fallback);
  std::optional<std::string> attrString(llvm::StringRef name);
  std::string attrString(llvm::StringRef name, llvm::StringRef fallback);
  std::optional<llvm::SmallVector<int64_t>> attrInts(llvm::StringRef name);
  llvm::SmallVector<int64_t> attrInts(llvm::StringRef name,
                                      llvm::ArrayRef<int64_t> fallback);
  std::optional<llvm::SmallVector<double>> attrFloats(llvm::StringRef name);
  std::optional<llvm::SmallVector<std::string>>
  attrStrings(llvm::StringRef name);
  /// Null when absent (or malformed, which was reported).
  mlir::ElementsAttr attrTensor(llvm::StringRef name);
  const onnx::GraphProto *attrGraph(llvm::StringRef name);
  /// Marks an attribute as known but without meaning here.
  void ignoreAttr(llvm::StringRef name);
  /// The element type of an ONNX TensorProto.DataType number (attribute `to`,
  /// `dtype`, ...); null and a diagnostic when there is none.
  mlir::Type elementType(int64_t onnxDataType);

  // Contents and sizes --------------------------------------------------------

  /// Known contents of a small tensor, or null.
  const ShapeValue *contents(mlir::Value value) const;
  /// Contents of a small integer tensor (row-major) as expressions over
  /// symbols. Elements that are data get late symbols, which may be negative;
  /// nothing for other tensors.
  std::optional<eff::Dims> sizes(mlir::Value value) const;
  /// The same without late symbols for data, where there is a better way.
  std::optional<eff::Dims> knownSizes(mlir::Value value) const;
  /// What is known of the contents; null for elements that are data.
  std::optional<eff::Dims> partialSizes(mlir::Value value) const;
  /// Depends on a late symbol.
  bool isLate(mlir::AffineExpr size) const;
  /// The same when all are constants; int and bool tensors of at most 4096
  /// elements.
  std::optional<llvm::SmallVector<int64_t>> constants(mlir::Value value) const;
  /// Elements of a small constant tensor of any numeric type.
  std::optional<llvm::SmallVector<double>> floats(mlir::Value value) const;
  /// Elements of an attribute's tensor, of any size.
  std::optional<llvm::SmallVector<double>>
  elements(mlir::ElementsAttr value) const;
  /// The only element of a constant tensor of one element.
  std::optional<double> scalar(mlir::Value value) const;
  /// The same for an int tensor whose element is an expression, see `sizes`.
  std::optional<mlir::AffineExpr> scalarSize(mlir::Value value);
  /// A late symbol for element `element` of an i64 tensor that this node makes,
  /// defined here.
  mlir::AffineExpr defineSize(mlir::Value value, int64_t element, int64_t min,
                              int64_t max);

  /// The smaller or larger of two sizes; a new derived symbol unless it folds.
  mlir::AffineExpr minSize(mlir::AffineExpr a, mlir::AffineExpr b);
  mlir::AffineExpr maxSize(mlir::AffineExpr a, mlir::AffineExpr b);
  /// Constants that a size lies between (symbols are bounded by their input).
  std::pair<int64_t, int64_t> bounds(mlir::AffineExpr size) const;
  /// Two sizes must be equal when shapes are bound; fails at once when they
  /// are different constants.
  mlir::LogicalResult requireEqual(mlir::AffineExpr a, mlir::AffineExpr b,
                                   const llvm::Twine &what);

  /// Operands of a multidirectional broadcast (ONNX Broadcasting.md): repeats
  /// those along dims that are 1 or not as the run has it. The last `skip` dims
  /// take no part.
  void broadcastOperands(llvm::MutableArrayRef<mlir::Value> operands,
                         int64_t skip = 0);
  /// The same for one operand that broadcasts to `dims`, aligned at the end.
  mlir::Value broadcastOperand(mlir::Value x,
                               llvm::ArrayRef<mlir::AffineExpr> dims);
  /// `meet` and `mayBeOne` of SizeSymbols.
  mlir::AffineExpr meetSizes(mlir::AffineExpr a, mlir::AffineExpr b);
  /// Fails when a size cannot be repeated to `to`; a check where only the run
  /// knows.
  mlir::LogicalResult requireBroadcast(mlir::AffineExpr size,
                                       mlir::AffineExpr to,
                                       const llvm::Twine &what);

  // Building ------------------------------------------------------------------

  /// Builds an op whose result type is inferred; arguments as for
  /// `OpTy::create` after the location. Null, with a diagnostic that names
  /// the node, when operands do not fit or an operand is null.
  template <typename OpTy, typename... Args>
  mlir::Value create(Args &&...args) {
    mlir::OperationState state(location, OpTy::getOperationName());
    OpTy::build(b, state,
                /*placeholder result type=*/mlir::Type(b.getNoneType()),
                std::forward<Args>(args)...);
    return finish(state, /*infer=*/true);
  }
  /// Builds an op with an explicit result type.
  template <typename OpTy, typename... Args>
  mlir::Value createTyped(mlir::Type type, Args &&...args) {
    mlir::OperationState state(location, OpTy::getOperationName());
    OpTy::build(b, state, type, std::forward<Args>(args)...);
    return finish(state, /*infer=*/false);
  }
  /// Adds an operation with any number of results: verified, null on failure.
  mlir::Operation *insert(mlir::OperationState &state, bool infer);

  /// An `eff.constant`; splats of one value and small lists.
  mlir::Value constant(mlir::ElementsAttr value);
  /// A tensor of one repeated number (rounded to the element type).
  mlir::Value splat(mlir::Type elementType, double value,
                    llvm::ArrayRef<int64_t> shape = {});
  mlir::Value constantI64(llvm::ArrayRef<int64_t> values);
  /// A rank-1 tensor of sizes: `eff.constant` when all are constant, else
  /// `eff.dim_values`.
  mlir::Value dimValues(llvm::ArrayRef<mlir::AffineExpr> values,
                        mlir::Type elementType, llvm::ArrayRef<int64_t> shape);

  // Failure -------------------------------------------------------------------

  /// The model is at fault: "node 'x' (Op, opset n): reason".
  mlir::LogicalResult error(const llvm::Twine &reason,
                            const llvm::Twine &remedy = "",
                            DiagnosticCode code = DiagnosticCode::InvalidNode);
  /// The model is fine but effc lacks something; all of these are listed
  /// together at the end of the import.
  mlir::LogicalResult unsupported(const llvm::Twine &reason,
                                  const llvm::Twine &remedy = "");
  void warning(const llvm::Twine &message);
  void remark(DiagnosticCode code, const llvm::Twine &message);
  bool hasFailed() const { return failed; }

  // Control flow (ControlFlow.cpp) --------------------------------------------

  /// Imports a body of this node (If) at the current place; `results` gets one
  /// value per output of the graph. `arguments` are its inputs.
  mlir::LogicalResult inlineGraph(const onnx::GraphProto &graph,
                                  llvm::SmallVectorImpl<mlir::Value> &results,
                                  mlir::ValueRange arguments = {});

  /// Builds ops at the current place and gives the values they make.
  using RegionFn =
      std::function<mlir::LogicalResult(llvm::SmallVectorImpl<mlir::Value> &)>;
  /// An `eff.if`, or both branches and a choice where these are small.
  /// `condition` is a bool of rank 0.
  mlir::LogicalResult createIf(mlir::Value condition, const RegionFn &thenFn,
                               const RegionFn &elseFn,
                               llvm::SmallVectorImpl<mlir::Value> &results);

  /// Whether the first output of a Loop's body is true whenever it runs.
  bool alwaysGoesOn(const onnx::GraphProto &body);

  struct LoopValues {
    /// A bool of rank 0: whether to go on. Only of loops with a condition.
    mlir::Value condition;
    llvm::SmallVector<mlir::Value> carried;
    /// Joined along a new first dim in the results.
    llvm::SmallVector<mlir::Value> collected;
  };
  struct LoopSpec {
    /// Null without; may be negative.
    mlir::AffineExpr trip;
    /// Whether there is a first iteration; null without a condition.
    mlir::Value condition;
    llvm::SmallVector<mlir::Value> inits;
    /// Builds the body from the number of the iteration and the carried values;
    /// may be called several times.
    std::function<mlir::LogicalResult(mlir::AffineExpr iteration,
                                      mlir::ValueRange carried,
                                      LoopValues &values)>
        body;
  };
  /// An `eff.loop`; `results` gets the carried values, then the collected ones.
  mlir::LogicalResult createLoop(const LoopSpec &spec,
                                 llvm::SmallVectorImpl<mlir::Value> &results);

  /// The importer's end: attributes that nobody asked for.
  mlir::LogicalResult checkAllAttributesUsed();
  llvm::ArrayRef<mlir::Value> outputs() const { return results; }
  /// Null when output `index` is a tensor.
  const NonTensor *nonTensor(unsigned index) const {
    auto it = nonTensors.find(index);
    return it == nonTensors.end() ? nullptr : &it->second;
  }
  bool wasReportedUnsupported() const { return reportedUnsupported; }

private:
  const onnx::AttributeProto *find(llvm::StringRef name);
  const onnx::AttributeProto *find(llvm::StringRef name, int type,
                                   llvm::StringRef typeName);
  mlir::Value finish(mlir::OperationState &state, bool infer);

  std::optional<int>
  findOnlyBranch(llvm::ArrayRef<llvm::SmallVector<mlir::Value>> values);
  mlir::LogicalResult takeOnlyBranch(mlir::Value condition,
                                     mlir::Operation *draft, int branch);
  struct LoopDraft;
  mlir::Type joinTypes(mlir::Value a, mlir::Value c,
                       llvm::SmallVectorImpl<int64_t> &symbols,
                       llvm::SmallVectorImpl<mlir::AffineExpr> &first,
                       llvm::SmallVectorImpl<mlir::AffineExpr> &second);
  mlir::LogicalResult draftLoop(const LoopSpec &spec,
                                mlir::AffineExpr iteration,
                                llvm::ArrayRef<mlir::Type> types,
                                LoopDraft &draft);
  mlir::FailureOr<bool> widen(llvm::ArrayRef<mlir::Type> types,
                              const LoopValues &values,
                              llvm::function_ref<void(size_t, size_t)> add);
  mlir::AffineExpr
  fixCollected(mlir::AffineExpr size, mlir::AffineExpr iteration,
               mlir::Block *outside,
               llvm::function_ref<bool(mlir::AffineExpr)> isFixed);
  void closeLoop(const LoopSpec &spec, LoopDraft &draft,
                 llvm::ArrayRef<mlir::Type> resultTypes,
                 llvm::ArrayRef<int64_t> symbols,
                 llvm::ArrayRef<mlir::AffineExpr> initial,
                 llvm::ArrayRef<mlir::AffineExpr> next,
                 llvm::SmallVectorImpl<mlir::Value> &results);
  mlir::LogicalResult finishLoop(const LoopSpec &spec,
                                 mlir::AffineExpr iteration,
                                 llvm::ArrayRef<mlir::Type> types,
                                 LoopDraft &draft,
                                 llvm::SmallVectorImpl<mlir::Value> &results);

  Importer &importer;
  ImportScope &scope;
  const onnx::NodeProto &node;
  int64_t opsetVersion;
  mlir::OpBuilder &b;
  mlir::Location location;
  llvm::SmallVector<mlir::Value, 4> results;
  std::map<unsigned, NonTensor> nonTensors;
  llvm::SmallBitVector usedAttributes;
  bool failed = false;
  bool reportedUnsupported = false;
};

} // namespace effc

#endif // EFFC_LIB_IMPORT_NODECONTEXT_H
