// Kinds of operations that come in families.
#ifndef EFF_ENUMS_TD
#define EFF_ENUMS_TD

include "Eff/EffDialect.td"

class Eff_Kind<string name, string description, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, description, cases> {
  let cppNamespace = "::effc::eff";
  let genSpecializedAttr = 0;
}
class Eff_KindAttr<EnumInfo info, string mnemonic> : EnumAttr<Eff_Dialect, info, mnemonic> {
  let assemblyFormat = "$value";
}
class Case<string sym, int n, string str> : I32EnumAttrCase<sym, n, str>;

// alpha and beta are the attributes of the same name of ONNX's operators.
def Eff_UnaryKind : Eff_Kind<"UnaryKind", "elementwise function of one operand", [
  Case<"Abs", 0, "abs">, Case<"Neg", 1, "neg">, Case<"Exp", 2, "exp">, Case<"Log", 3, "log">,
  Case<"Sqrt", 4, "sqrt">, Case<"Reciprocal", 5, "reciprocal">, Case<"Sin", 6, "sin">,
  Case<"Cos", 7, "cos">, Case<"Tanh", 8, "tanh">, Case<"Erf", 9, "erf">,
  Case<"Sigmoid", 10, "sigmoid">, Case<"Ceil", 11, "ceil">, Case<"Floor", 12, "floor">,
  Case<"Round", 13, "round">, Case<"Sign", 14, "sign">, Case<"Not", 15, "not">,
  Case<"IsNaN", 16, "isnan">, Case<"IsInf", 17, "isinf">, Case<"Relu", 18, "relu">,
  Case<"LeakyRelu", 19, "leaky_relu">, Case<"Elu", 20, "elu">, Case<"Selu", 21, "selu">,
  Case<"Celu", 22, "celu">, Case<"Softplus", 23, "softplus">, Case<"Softsign", 24, "softsign">,
  Case<"HardSigmoid", 25, "hard_sigmoid">, Case<"HardSwish", 26, "hard_swish">,
  Case<"Mish", 27, "mish">, Case<"Silu", 28, "silu">, Case<"Gelu", 29, "gelu">,
  Case<"GeluTanh", 30, "gelu_tanh">, Case<"Clip", 31, "clip">,
  Case<"ThresholdedRelu", 32, "thresholded_relu">, Case<"Tan", 33, "tan">,
  Case<"Asin", 34, "asin">, Case<"Acos", 35, "acos">, Case<"Atan", 36, "atan">,
  Case<"Sinh", 37, "sinh">, Case<"Cosh", 38, "cosh">, Case<"Asinh", 39, "asinh">,
  Case<"Acosh", 40, "acosh">, Case<"Atanh", 41, "atanh">, Case<"BitNot", 42, "bit_not">,
  Case<"QuickGelu", 43, "quick_gelu">]>;
def Eff_UnaryKindAttr : Eff_KindAttr<Eff_UnaryKind, "unary_kind">;

def Eff_BinaryKind : Eff_Kind<"BinaryKind", "elementwise function of two operands", [
  Case<"Add", 0, "add">, Case<"Sub", 1, "sub">, Case<"Mul", 2, "mul">, Case<"Div", 3, "div">,
  Case<"Mod", 4, "mod">, Case<"FMod", 5, "fmod">, Case<"Pow", 6, "pow">, Case<"Max", 7, "max">,
  Case<"Min", 8, "min">, Case<"And", 9, "and">, Case<"Or", 10, "or">, Case<"Xor", 11, "xor">,
  Case<"PRelu", 12, "prelu">, Case<"ShiftLeft", 13, "shl">, Case<"ShiftRight", 14, "shr">]>;
def Eff_BinaryKindAttr : Eff_KindAttr<Eff_BinaryKind, "binary_kind">;

def Eff_CompareKind : Eff_Kind<"CompareKind", "elementwise predicate of two operands", [
  Case<"Eq", 0, "eq">, Case<"Ne", 1, "ne">, Case<"Lt", 2, "lt">, Case<"Le", 3, "le">,
  Case<"Gt", 4, "gt">, Case<"Ge", 5, "ge">]>;
def Eff_CompareKindAttr : Eff_KindAttr<Eff_CompareKind, "compare_kind">;

def Eff_ReduceKind : Eff_Kind<"ReduceKind", "reduction", [
  Case<"Sum", 0, "sum">, Case<"Mean", 1, "mean">, Case<"Max", 2, "max">, Case<"Min", 3, "min">,
  Case<"Prod", 4, "prod">, Case<"L1", 5, "l1">, Case<"L2", 6, "l2">,
  Case<"SumSquare", 7, "sum_square">, Case<"LogSum", 8, "log_sum">,
  Case<"LogSumExp", 9, "log_sum_exp">]>;
def Eff_ReduceKindAttr : Eff_KindAttr<Eff_ReduceKind, "reduce_kind">;

def Eff_PoolKind : Eff_Kind<"PoolKind", "pooling", [
  Case<"Max", 0, "max">, Case<"Average", 1, "average">]>;
def Eff_PoolKindAttr : Eff_KindAttr<Eff_PoolKind, "pool_kind">;

def Eff_RoundMode : Eff_Kind<"RoundMode", "how a conversion to f8E8M0FNU rounds", [
  Case<"Nearest", 0, "nearest">, Case<"Up", 1, "up">, Case<"Down", 2, "down">]>;
def Eff_RoundModeAttr : Eff_KindAttr<Eff_RoundMode, "round_mode">;

def Eff_PadMode : Eff_Kind<"PadMode", "what a pad is filled with", [
  Case<"Constant", 0, "constant">, Case<"Reflect", 1, "reflect">, Case<"Edge", 2, "edge">,
  Case<"Wrap", 3, "wrap">]>;
def Eff_PadModeAttr : Eff_KindAttr<Eff_PadMode, "pad_mode">;

def Eff_ScatterKind : Eff_Kind<"ScatterKind", "how a scattered update meets the old value", [
  Case<"None", 0, "none">, Case<"Add", 1, "add">, Case<"Mul", 2, "mul">, Case<"Max", 3, "max">,
  Case<"Min", 4, "min">]>;
def Eff_ScatterKindAttr : Eff_KindAttr<Eff_ScatterKind, "scatter_kind">;

def Eff_ResizeMode : Eff_Kind<"ResizeMode", "interpolation", [
  Case<"Nearest", 0, "nearest">, Case<"Linear", 1, "linear">, Case<"Cubic", 2, "cubic">]>;
def Eff_ResizeModeAttr : Eff_KindAttr<Eff_ResizeMode, "resize_mode">;

def Eff_SamplePadding : Eff_Kind<"SamplePadding", "what lies outside an image", [
  Case<"Zeros", 0, "zeros">, Case<"Border", 1, "border">, Case<"Reflection", 2, "reflection">]>;
def Eff_SamplePaddingAttr : Eff_KindAttr<Eff_SamplePadding, "sample_padding">;

// ONNX Resize, attribute coordinate_transformation_mode.
def Eff_CoordinateMode : Eff_Kind<"CoordinateMode", "where an output pixel lies in the input", [
  Case<"HalfPixel", 0, "half_pixel">, Case<"HalfPixelSymmetric", 1, "half_pixel_symmetric">,
  Case<"PytorchHalfPixel", 2, "pytorch_half_pixel">, Case<"AlignCorners", 3, "align_corners">,
  Case<"Asymmetric", 4, "asymmetric">, Case<"TfCropAndResize", 5, "tf_crop_and_resize">,
  Case<"TfHalfPixelForNN", 6, "tf_half_pixel_for_nn">]>;
def Eff_CoordinateModeAttr : Eff_KindAttr<Eff_CoordinateMode, "coordinate_mode">;

// ONNX Resize, attribute nearest_mode.
def Eff_NearestMode : Eff_Kind<"NearestMode", "how a coordinate is rounded", [
  Case<"RoundPreferFloor", 0, "round_prefer_floor">,
  Case<"RoundPreferCeil", 1, "round_prefer_ceil">, Case<"Floor", 2, "floor">,
  Case<"Ceil", 3, "ceil">]>;
def Eff_NearestModeAttr : Eff_KindAttr<Eff_NearestMode, "nearest_mode">;

#endif // EFF_ENUMS_TD
