// Optimizers of ai.onnx.preview.training: one step of each, elementwise. The
// operands are R (learning rate), T (update count), then all tensors, all
// gradients, all first states and so on.
#include "Emitter.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

namespace {
/// Operands of all optimizers; `states` per tensor.
struct Step {
  Emitter e;
  Value rate, count;
  unsigned tensors = 0;
  bool valid = false;

  Step(NodeContext &ctx, unsigned states) : e(ctx) {
    unsigned kinds = 2 + states, given = ctx.numInputs();
    if (given < 2 + kinds || (given - 2) % kinds != 0) {
      (void)ctx.error("R, T and the same number of tensors, gradients and "
                      "states are needed");
      return;
    }
    tensors = (given - 2) / kinds;
    if (failed(ctx.requireInputs(given)))
      return;
    if (!isFloat(ctx.input(2))) {
      (void)ctx.error("the tensors are not of floats");
      return;
    }
    rate = e.reshape(e.convert(ctx.input(0), elementTypeOf(ctx.input(2))), {});
    count = e.reshape(ctx.input(1), {});
    valid = rate && count;
  }

  /// Operand `kind` (0: the tensor, 1: gradient, 2: first state) of tensor i.
  Value operand(unsigned kind, unsigned i) {
    return e.ctx.input(2 + kind * tensors + i);
  }
  /// The gradient of the tensor and of half its squared norm.
  Value gradient(unsigned i, double norm) {
    return e.add(e.mul(operand(0, i), norm), operand(1, i));
  }
  Type type() { return elementTypeOf(rate); }
  /// T as a float.
  Value countAsFloat() { return e.convert(count, type()); }
  LogicalResult set(unsigned kind, unsigned i, Value value) {
    unsigned index = kind * tensors + i;
    return e.ctx.outputUsed(index) ? e.ctx.setOutput(index, value) : success();
  }
};
} // namespace

LogicalResult importMomentum(NodeContext &ctx) {
  std::string mode = ctx.attrString("mode", "");
  double alpha = ctx.attrFloat("alpha", 0), beta = ctx.attrFloat("beta", 0);
  double norm = ctx.attrFloat("norm_coefficient", 0);
  if (mode != "standard" && mode != "nesterov")
    return ctx.error("attribute mode must be standard or nesterov");
  Step step(ctx, /*states=*/1);
  if (!step.valid)
    return failure();
  Emitter &e = step.e;
  Value factor =
      e.select(e.compare(CompareKind::Gt, step.count, 0.0),
               e.scalar(step.type(), beta), e.scalar(step.type(), 1));
  for (unsigned i = 0; i < step.tensors; ++i) {
    Value gradient = step.gradient(i, norm);
    Value velocity =
        e.add(e.mul(step.operand(2, i), alpha), e.mul(gradient, factor));
    Value move =
        mode == "standard" ? velocity : e.add(gradient, e.mul(velocity, alpha));
    Value x = e.sub(step.operand(0, i), e.mul(move, step.rate));
    if (failed(step.set(0, i, x)) || failed(step.set(1, i, velocity)))
      return failure();
  }
  return success();
}

LogicalResult importAdagrad(NodeContext &ctx) {
  double norm = ctx.attrFloat("norm_coefficient", 0);
  double decay = ctx.attrFloat("decay_factor", 0);
  double epsilon = ctx.attrFloat("epsilon", 1e-6f);
  Step step(ctx, /*states=*/1);
  if (!step.valid)
    return failure();
  Emitter &e = step.e;
  Value rate = e.div(step.rate, e.add(e.mul(step.countAsFloat(), decay), 1.0));
  for (unsigned i = 0; i < step.tensors; ++i) {
    Value gradient = step.gradient(i, norm);
    Value squares = e.add(step.operand(2, i), e.mul(gradient, gradient));
    Value root = e.add(e.unary(UnaryKind::Sqrt, squares), epsilon);
    Value x = e.sub(step.operand(0, i), e.div(e.mul(gradient, rate), root));
    if (failed(step.set(0, i, x)) || failed(step.set(1, i, squares)))
      return failure();
  }
  return success();
}

LogicalResult importAdam(NodeContext &ctx) {
  double norm = ctx.attrFloat("norm_coefficient", 0);
  double normPost = ctx.attrFloat("norm_coefficient_post", 0);
  double alpha = ctx.attrFloat("alpha", 0.9f);
  double beta = ctx.attrFloat("beta", 0.999f);
  double epsilon = ctx.attrFloat("epsilon", 1e-6f);
  Step step(ctx, /*states=*/2);
  if (!step.valid)
    return failure();
  Emitter &e = step.e;
  Value one = e.scalar(step.type(), 1), count = step.countAsFloat();
  auto rest = [&](double base) {
    Value power = e.binary(BinaryKind::Pow, e.scalar(step.type(), base), count);
    return e.sub(one, power);
  };
  Value corrected = e.div(
      e.mul(step.rate, e.unary(UnaryKind::Sqrt, rest(beta))), rest(alpha));
  Value rate = e.select(e.compare(CompareKind::Gt, step.count, 0.0), corrected,
                        step.rate);
  for (unsigned i = 0; i < step.tensors; ++i) {
    Value gradient = step.gradient(i, norm);
    Value mean =
        e.add(e.mul(step.operand(2, i), alpha), e.mul(gradient, 1 - alpha));
    Value squares = e.add(e.mul(step.operand(3, i), beta),
                          e.mul(e.mul(gradient, gradient), 1 - beta));
    Value root = e.add(e.unary(UnaryKind::Sqrt, squares), epsilon);
    Value x = e.sub(step.operand(0, i), e.div(e.mul(mean, rate), root));
    if (failed(step.set(0, i, e.mul(x, 1 - normPost))) ||
        failed(step.set(1, i, mean)) || failed(step.set(2, i, squares)))
      return failure();
  }
  return success();
}

} // namespace effc
