// The walk over an ONNX graph. Handlers see it only through NodeContext.
#ifndef EFFC_LIB_IMPORT_IMPORTER_H
#define EFFC_LIB_IMPORT_IMPORTER_H

#include "GraphOrder.h"
#include "ModelFile.h"
#include "NonTensors.h"
#include "ShapeValues.h"
#include "SizeSymbols.h"
#include "TensorData.h"
#include "effc/Import/Import.h"
#include "effc/Support/Diagnostics.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "onnx/onnx-ml.pb.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"
#include <map>

namespace effc {

/// Names of one graph body, and of those around it. A name stands for a tensor,
/// a sequence of tensors, or nothing (an absent optional).
struct ImportScope {
  ImportScope *parent = nullptr;
  llvm::StringMap<mlir::Value> values;
  /// Sequences; their lengths are known at import.
  llvm::StringMap<ValueList> lists;
  /// What exists only as long as nobody reads it (strings), with the reason.
  llvm::StringMap<std::string> unreadable;
  /// Names whose producer was not imported; what reads them is skipped.
  llvm::StringSet<> poisoned;
  /// Optional inputs that the call of a local function leaves out, and
  /// optionals without an element.
  llvm::StringSet<> absent;
  /// Not imported before somebody reads them.
  llvm::StringMap<const onnx::TensorProto *> initializers;
  llvm::StringMap<const onnx::SparseTensorProto *> sparseInitializers;
  llvm::StringMap<const onnx::TypeProto *> declared;
  /// Ranks that follow from what is declared of results that are made of it.
  llvm::StringMap<int64_t> ranks;
  /// Domain -> version, of the model or of a local function.
  const llvm::StringMap<int64_t> *opsets = nullptr;
  /// Attributes of the call, in the body of a local function.
  const llvm::StringMap<const onnx::AttributeProto *> *attributes = nullptr;
  /// Names of the calls around, each followed by '/'.
  std::string prefix;
};

class Importer {
public:
  Importer(std::shared_ptr<ModelFile> file, mlir::MLIRContext *context,
           const ImportOptions &options);

  mlir::OwningOpRef<mlir::ModuleOp> run();

  // For NodeContext -----------------------------------------------------------

  /// Null when the name is unknown, poisoned, absent or no tensor.
  mlir::Value lookup(ImportScope &scope, llvm::StringRef name);
  /// The elements of a sequence, or null.
  const ValueList *lookupList(const ImportScope &scope,
                              llvm::StringRef name) const;
  /// Makes what `name` stands for known as `alias`, whatever it is; false when
  /// it is missing, which has been reported.
  bool forward(ImportScope &from, llvm::StringRef name, ImportScope &to,
               llvm::StringRef alias);
  /// Nothing is passed for the name (see ImportScope::absent).
  bool isAbsent(const ImportScope &scope, llvm::StringRef name) const;
  const onnx::TypeProto *declaredType(ImportScope &scope,
                                      llvm::StringRef name) const;
  /// The rank that a value of this body has by a declaration, of its own or of
  /// what elementwise operators make of it.
  std::optional<int64_t> declaredRank(ImportScope &scope,
                                      llvm::StringRef name) const;
  const onnx::AttributeProto *resolve(ImportScope &scope,
                                      const onnx::AttributeProto &attribute);
  /// Known contents of a value, or null.
  const ShapeValue *contents(mlir::Value value);
  /// The contents of a small integer tensor: elements that nobody knows get
  /// late symbols, defined where the value is. Null for all other values.
  const ShapeValue *defineContents(mlir::Value value);
  /// A late symbol that has a value in `block` only.
  mlir::AffineExpr declareLate(llvm::StringRef name, mlir::Block *block,
                               int64_t min, int64_t max);
  /// All late symbols of a size have a value in `block`.
  bool isVisible(mlir::AffineExpr size, mlir::Block *block) const;
  /// What was defined in one block is in another now.
  void moveLateSizes(mlir::Block *from, mlir::Block *to) {
    for (auto &entry : lateBlocks)
      if (entry.second == from)
        entry.second = to;
  }
  /// A size is made of a symbol, also through derived ones.
  bool dependsOn(mlir::AffineExpr size, unsigned symbol) const;
  /// Late symbols of carried values take new values with each iteration.
  void markCarried(mlir::AffineExpr symbol) { carriedSymbols.insert(symbol); }
  bool isCarried(mlir::AffineExpr symbol) const {
    return carriedSymbols.contains(symbol);
  }
  /// Erases an op with regions, and what is known of the values in it.
  void eraseRegionOp(mlir::Operation *op);
  /// While it lives, diagnostics are held back; an attempt may be dropped.
  class Trial;
  /// Trials of a body try the bodies within it, so loops within loops multiply
  /// them: past a number of nodes all sizes are taken to vary at once.
  bool hasTriedEnough() const;
  mlir::LogicalResult importBody(ImportScope &scope, const NodeList &nodes,
                                 llvm::ArrayRef<llvm::StringRef> outputs,
                                 mlir::Location loc);
  void addGraph(ImportScope &scope, const onnx::GraphProto &graph);
  /// Sizes that must be equal: when shapes are bound, or here if they are late
  /// or this is in a region that may not run.
  void addCheck(mlir::AffineExpr a, mlir::AffineExpr b,
                const llvm::Twine &message);
  void reportUnsupported(mlir::Location loc, llvm::StringRef domain,
                         llvm::StringRef opType, int64_t opset,
                         const llvm::Twine &reason, const llvm::Twine &remedy,
                         DiagnosticCode code);
  mlir::Value makeConstant(mlir::Location loc, mlir::ElementsAttr value);
  mlir::Value makeDimValues(mlir::Location loc, const ShapeValue &value);
  void countError() { ++numErrors; }

  SizeSymbols symbols;
  TensorReader reader;

private:
  struct Unsupported {
    mlir::Location loc;
    std::string message, remedy;
    llvm::SmallVector<std::string> nodes;
    int64_t count = 0;
    DiagnosticCode code;
  };

  void inferRanks(ImportScope &scope, const NodeList &nodes,
                  llvm::ArrayRef<int> order);
  mlir::LogicalResult checkModel();
  mlir::LogicalResult selectOutputs();
  mlir::LogicalResult applyShapeOptions();
  mlir::LogicalResult importArguments();
  mlir::LogicalResult collectInputs();
  mlir::LogicalResult importFixedInputs();
  mlir::Type importArgument(const onnx::ValueInfoProto &input, int64_t index);
  mlir::AffineExpr importDim(const onnx::ValueInfoProto &input, int64_t index,
                             int64_t axis);
  mlir::AffineExpr declareSymbol(llvm::StringRef name, llvm::StringRef param,
                                 llvm::StringRef input, int64_t index,
                                 int64_t axis);
  mlir::LogicalResult finishFunction();
  /// Finds the pairs of --state.
  mlir::LogicalResult resolveStates();
  bool isState(const onnx::ValueInfoProto &input) const;
  mlir::LogicalResult checkState(unsigned argument, unsigned result,
                                 llvm::ArrayRef<mlir::Attribute> entries);
  mlir::LogicalResult
  checkStateSymbols(llvm::SmallVectorImpl<mlir::Attribute> &entries);
  /// Sets `eff.symbols` and `eff.states`.
  mlir::LogicalResult declareStates();
  void unifySizes();
  void replaceSizes(llvm::ArrayRef<mlir::AffineExpr> replacements);
  void replaceStateSizes(llvm::ArrayRef<mlir::AffineExpr> replacements);
  void dropUnusedSizes();
  mlir::LogicalResult checkDeclaredOutput(const onnx::ValueInfoProto &output,
                                          mlir::Value value);
  void useDeclaredSizes(const onnx::ValueInfoProto &output, mlir::Value value);
  void importNode(ImportScope &scope, const onnx::NodeProto &node, int index);
  void dispatch(ImportScope &scope, const onnx::NodeProto &node,
                mlir::Location loc);
  void bind(ImportScope &scope, const onnx::NodeProto &node,
            llvm::ArrayRef<mlir::Value> values);
  mlir::LogicalResult bindResults(ImportScope &scope,
                                  const onnx::NodeProto &node,
                                  NodeContext &ctx);
  mlir::LogicalResult checkReadable(ImportScope &scope, llvm::StringRef name,
                                    mlir::Location loc);
  void poison(ImportScope &scope, const onnx::NodeProto &node);
  mlir::LogicalResult inlineFunction(ImportScope &scope,
                                     const onnx::NodeProto &node,
                                     const onnx::FunctionProto &function,
                                     mlir::Location loc);
  mlir::Location locationOf(const ImportScope &scope,
                            const onnx::NodeProto &node, int index) const;
  mlir::Location locationOfValue(llvm::StringRef name) const;
  void flushUnsupported();
  mlir::InFlightDiagnostic
  error(mlir::Location loc, DiagnosticCode code = DiagnosticCode::InvalidModel);

  std::shared_ptr<ModelFile> file;
  mlir::MLIRContext *context;
  const ImportOptions &options;
  mlir::OpBuilder builder;
  mlir::ModuleOp module;
  mlir::func::FuncOp function;
  mlir::Operation *lastConstant = nullptr;
  ImportScope top;
  llvm::StringMap<int64_t> opsets;
  llvm::StringMap<const onnx::FunctionProto *> functions;
  llvm::SmallVector<const onnx::ValueInfoProto *> inputs, outputs;
  /// Inputs and outputs that sessions keep.
  llvm::SmallVector<std::pair<std::string, std::string>> states;
  /// Inputs that options.inputValues makes constants.
  llvm::SmallVector<const onnx::ValueInfoProto *> fixedInputs;
  llvm::DenseMap<mlir::Value, std::unique_ptr<ShapeValue>> knownContents;
  llvm::SmallVector<const onnx::FunctionProto *> callStack;
  llvm::MapVector<mlir::Attribute, mlir::Attribute> checks;
  /// The checks that stand in blocks, each once a block.
  llvm::DenseSet<std::pair<mlir::Block *, mlir::Attribute>> checksInBlocks;
  /// Where late symbols are defined.
  llvm::DenseMap<unsigned, mlir::Block *> lateBlocks;
  llvm::DenseSet<mlir::AffineExpr> carriedSymbols;
  llvm::StringMap<size_t> unsupportedIndex;
  std::vector<Unsupported> unsupported;
  /// Initializers that were reported, once for all that read them.
  llvm::DenseSet<const void *> refusedTensors;
  std::map<std::pair<std::string, int64_t>, int64_t> shapeOverrides;
  int64_t numInlinedNodes = 0;
  /// Bodies and functions included, again for each trial; and those of trials
  /// that were dropped.
  int64_t numImportedNodes = 0, numTriedNodes = 0;
  int64_t numErrors = 0;
  /// "Conv, opset 13" while a node is imported; goes into its diagnostics.
  mlir::Attribute currentOperator;
  /// That node; an initializer that it reads is refused at its place.
  std::optional<mlir::Location> currentNode;
};

class Importer::Trial {
public:
  explicit Trial(Importer &importer);
  /// Forgets what the attempt reported.
  void drop();
  /// What it reported, for whoever keeps it.
  std::vector<mlir::Diagnostic> take();

private:
  Importer &importer;
  int64_t numErrors, numImportedNodes;
  std::vector<Unsupported> unsupported;
  llvm::StringMap<size_t> unsupportedIndex;
  llvm::DenseSet<const void *> refusedTensors;
  std::vector<mlir::Diagnostic> held;
  mlir::ScopedDiagnosticHandler handler;
};

/// Adds an entry to `checks` for sizes that elementwise operations, matrix
/// products and concatenations need equal.
void collectEqualities(
    mlir::func::FuncOp function, const SizeSymbols &symbols,
    llvm::function_ref<void(mlir::Operation *, mlir::AffineExpr,
                            mlir::AffineExpr, llvm::StringRef)>
        require);

} // namespace effc

#endif // EFFC_LIB_IMPORT_IMPORTER_H
