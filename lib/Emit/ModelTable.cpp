// The element types that a model can hold, and the table of all its programs.
#include "effc/Emit/ModelTable.h"
#include "ProgramBuilder.h"

using namespace mlir;

namespace effc {

std::optional<int32_t> getDType(Type type) {
  if (type.isF32())
    return EFFRT_DTYPE_F32;
  if (type.isF64())
    return EFFRT_DTYPE_F64;
  if (type.isF16())
    return EFFRT_DTYPE_F16;
  if (type.isBF16())
    return EFFRT_DTYPE_BF16;
  if (isa<Float8E4M3FNType>(type))
    return EFFRT_DTYPE_F8E4M3FN;
  if (isa<Float8E4M3FNUZType>(type))
    return EFFRT_DTYPE_F8E4M3FNUZ;
  if (isa<Float8E5M2Type>(type))
    return EFFRT_DTYPE_F8E5M2;
  if (isa<Float8E5M2FNUZType>(type))
    return EFFRT_DTYPE_F8E5M2FNUZ;
  if (isa<Float8E8M0FNUType>(type))
    return EFFRT_DTYPE_F8E8M0FNU;
  if (isa<Float4E2M1FNType>(type))
    return EFFRT_DTYPE_F4E2M1FN;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return std::nullopt;
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return EFFRT_DTYPE_BOOL;
  case 2:
    return isUnsigned ? EFFRT_DTYPE_U2 : EFFRT_DTYPE_I2;
  case 4:
    return isUnsigned ? EFFRT_DTYPE_U4 : EFFRT_DTYPE_I4;
  case 8:
    return isUnsigned ? EFFRT_DTYPE_U8 : EFFRT_DTYPE_I8;
  case 16:
    return isUnsigned ? EFFRT_DTYPE_U16 : EFFRT_DTYPE_I16;
  case 32:
    return isUnsigned ? EFFRT_DTYPE_U32 : EFFRT_DTYPE_I32;
  case 64:
    return isUnsigned ? EFFRT_DTYPE_U64 : EFFRT_DTYPE_I64;
  default:
    return std::nullopt;
  }
}

static LogicalResult addVersion(ModuleOp module, VersionTable &version,
                                WeightStore &weights) {
  KernelStore kernels(version, module);
  SmallVector<func::FuncOp> hosts;
  func::FuncOp general;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isDeclaration())
      continue;
    if (function.getName() == "main")
      general = function;
    else if (function->hasAttr("eff.symbols"))
      hosts.push_back(function);
  }
  if (general)
    hosts.push_back(general);
  if (hosts.empty())
    return emitError(module.getLoc())
           << "internal error: the module has no host function";
  for (func::FuncOp host : hosts) {
    version.programs.emplace_back();
    if (failed(ProgramBuilder(host, version.programs.back(), weights, kernels)
                   .build()))
      return failure();
  }
  return success();
}

FailureOr<ModelTable> buildModelTable(ArrayRef<VersionModule> versions,
                                      StringRef name) {
  ModelTable table;
  table.name = name.str();
  WeightStore weights(table);
  for (const VersionModule &each : versions) {
    VersionTable version;
    version.target = each.target;
    version.cpuFeatures = each.cpuFeatures;
    uint64_t before = table.weightsSize;
    if (failed(addVersion(each.module, version, weights)))
      return failure();
    version.ownWeightBytes = table.weightsSize - before;
    table.versions.push_back(std::move(version));
  }
  return table;
}

} // namespace effc
