// Matrix products and convolutions: the tile path against sums in a long
// double.
#include "LoopCase.h"
#include <cmath>

using namespace effc;

namespace {

std::string array(const char *name, const std::vector<int64_t> &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? ": " : ", ") + std::to_string(value);
  return std::string(name) + " = array<i64" + text + ">";
}

double toleranceOf(const std::string &element) {
  return element == "f16" ? 3e-3 : element == "bf16" ? 2e-2 : 2e-5;
}

Tensor numbers(Random &random, const std::string &element, const Shape &shape) {
  return isFloatElement(element) ? random.floats(shape, -1, 1, element)
                                 : random.integers(shape, -9, 9, element);
}

Tensor swapped(const Tensor &x) {
  std::vector<int64_t> order;
  for (size_t i = 0; i < x.shape.size(); ++i)
    order.push_back(i);
  std::swap(order[order.size() - 2], order.back());
  return permute(x, order);
}

/// numpy.matmul.
Tensor multiply(const Tensor &a, const Tensor &b, const Shape &shape) {
  return tabulate(a.element, shape, [&](const Shape &at) {
    Real sum = 0;
    size_t rank = at.size();
    for (int64_t k = 0; k < a.shape.back(); ++k) {
      Shape left = at, right = at;
      left[rank - 1] = right[rank - 2] = k;
      sum += a.broadcast(left) * b.broadcast(right);
    }
    return sum;
  });
}

void checkMatmul(const std::string &element, const Shape &a, const Shape &b,
                 const Shape &y,
                 const std::map<int64_t, std::string> &dims = {}) {
  Random random;
  Tensor left = numbers(random, element, a),
         right = numbers(random, element, b);
  Tensor expected = multiply(left, right, y);
  for (int flags = 0; flags < 4; ++flags) {
    bool ta = flags & 1, tb = flags & 2;
    SCOPED_TRACE(element + (ta ? " transposed a" : "") +
                 (tb ? " transposed b" : ""));
    check({std::string("eff.matmul %a0, %a1 {transpose_a = ") +
               (ta ? "true" : "false") +
               ", transpose_b = " + (tb ? "true" : "false") + "}",
           {ta ? swapped(left) : left, tb ? swapped(right) : right},
           {expected},
           {},
           dims,
           toleranceOf(element),
           toleranceOf(element)});
  }
}

TEST(Matmul, Shapes) {
  checkMatmul("f32", {5, 7}, {7, 9}, {5, 9}, {{5, "s0"}, {7, "s1"}, {9, "s2"}});
  checkMatmul("f32", {1, 1}, {1, 1}, {1, 1});
  checkMatmul("f32", {1, 64}, {64, 65}, {1, 65}, {{64, "s0"}});
  checkMatmul("f32", {37, 129}, {129, 67}, {37, 67}, {{37, "s0"}});
  checkMatmul("f32", {64, 32}, {32, 64}, {64, 64});
  checkMatmul("f32", {3, 0}, {0, 4}, {3, 4});
  checkMatmul("f32", {0, 3}, {3, 4}, {0, 4});
  checkMatmul("f32", {3, 5}, {5, 0}, {3, 0});
}

TEST(Matmul, BatchesAndBroadcasts) {
  checkMatmul("f32", {2, 3, 5, 7}, {2, 3, 7, 9}, {2, 3, 5, 9},
              {{2, "s0"}, {5, "s1"}});
  checkMatmul("f32", {2, 1, 5, 7}, {3, 7, 9}, {2, 3, 5, 9}, {{7, "s0"}});
  checkMatmul("f32", {5, 7}, {4, 7, 9}, {4, 5, 9}, {{4, "s0"}});
  checkMatmul("f32", {4, 5, 7}, {7, 9}, {4, 5, 9}, {{4, "s0"}});
  checkMatmul("f32", {0, 5, 7}, {7, 9}, {0, 5, 9});
}

TEST(Matmul, ElementTypes) {
  for (std::string element : {"f64", "f16", "bf16", "i32", "i64"})
    checkMatmul(element, {2, 5, 17}, {17, 9}, {2, 5, 9}, {{5, "s0"}});
}

TEST(Matmul, FusesItsEpilogue) {
  Random random;
  Tensor a = random.floats({3, 13, 8}), b = random.floats({8, 21}),
         r = random.floats({3, 13, 21}), row = random.floats({3, 13, 1});
  Tensor product = multiply(a, b, {3, 13, 21});
  check({"%0 = eff.matmul %a0, %a1 : ($0, $1) -> $r\n"
         "  %c = eff.constant dense<0.125> : tensor<f32>\n"
         "  %1 = eff.binary mul %0, %c : ($r, tensor<f32>) -> $r\n"
         "  %2 = eff.binary add %1, %a2 : ($r, $2) -> $r\n"
         "  %r = eff.binary mul %2, %a3 : ($r, $3) -> $r",
         {a, b, r, row},
         {tabulate("f32", {3, 13, 21},
                   [&](const Shape &at) {
                     return (product.at(at) * 0.125L + r.at(at)) *
                            row.broadcast(at);
                   })},
         {},
         {{13, "s0"}},
         2e-5,
         2e-5,
         0,
         1});
}

// ---- Linear ----

TEST(Linear, Shapes) {
  for (std::string element : {"f32", "f16", "f64", "bf16"})
    for (Shape x :
         {Shape{5, 7}, {1, 130}, {37, 64}, {2, 3, 5, 33}, {0, 7}, {7}})
      for (int64_t columns : {1, 9, 64, 100})
        for (int flags = 0; flags < 4; ++flags) {
          if (element != "f32" && (columns != 9 || x.size() != 2))
            continue;
          Random random;
          int64_t depth = x.back();
          Tensor a = random.floats(x, -1, 1, element),
                 w = random.floats({depth, columns}, -1, 1, element),
                 bias = random.floats({columns}, -1, 1, element);
          Shape shape = x;
          shape.back() = columns;
          Tensor y = tabulate(element, shape, [&](Shape at) {
            Real sum = flags & 2 ? bias.at({at.back()}) : 0;
            int64_t n = at.back();
            for (int64_t k = 0; k < depth; ++k) {
              at.back() = k;
              sum += a.at(at) * w.at({k, n});
            }
            return sum;
          });
          LoopCase c{"eff.linear %a0, %a1",
                     {a, flags & 1 ? swapped(w) : w},
                     {y},
                     {1},
                     {{5, "s0"}, {37, "s1"}}};
          if (flags & 2) {
            c.text += " bias %a2";
            c.inputs.push_back(bias);
            c.constants.insert(2);
          }
          if (flags & 1)
            c.text += " {transpose_weight = true}";
          c.relative = c.absolute = toleranceOf(element);
          check(c);
        }
}

TEST(Linear, ConstantsOfOneNumber) {
  // Splats are immediates, not buffers.
  Random random;
  Tensor x = random.floats({6, 40}), w = random.floats({40, 70}),
         bias("f32", {70}, 0.5L);
  auto product = [&](const Tensor &weight) {
    return tabulate("f32", {6, 70}, [&](const Shape &at) {
      Real sum = 0.5L;
      for (int64_t k = 0; k < 40; ++k)
        sum += x.at({at[0], k}) * weight.at({k, at[1]});
      return sum;
    });
  };
  Tensor same("f32", {40, 70}, 0.25L);
  check({"eff.linear %a0, %a1 bias %a2",
         {x, w, bias},
         {product(w)},
         {1, 2},
         {{6, "s0"}},
         2e-5,
         2e-5});
  check({"eff.linear %a0, %a1 bias %a2",
         {x, same, bias},
         {product(same)},
         {1, 2},
         {},
         2e-5,
         2e-5});
}

TEST(Linear, FusesItsEpilogue) {
  Random random;
  Tensor x = random.floats({6, 40}, -1, 1), w = random.floats({40, 70}, -1, 1),
         bias = random.floats({70}), r = random.floats({6, 70}),
         scale = random.floats({70});
  auto product = [&](const Shape &at) {
    Real sum = bias.at({at[1]});
    for (int64_t k = 0; k < 40; ++k)
      sum += x.at({at[0], k}) * w.at({k, at[1]});
    return sum;
  };
  auto silu = [](Real v) { return v / (1 + std::exp(-v)); };
  check({"%0 = eff.linear %a0, %a1 bias %a2 : ($0, $1, $2) -> $r\n"
         "  %1 = eff.unary silu %0 : ($r) -> $r\n"
         "  %2 = eff.binary mul %1, %a4 : ($r, $4) -> $r\n"
         "  %r = eff.binary add %2, %a3 : ($r, $3) -> $r",
         {x, w, bias, r, scale},
         {tabulate("f32", {6, 70},
                   [&](const Shape &at) {
                     return silu(product(at)) * scale.at({at[1]}) + r.at(at);
                   })},
         {1, 2},
         {{6, "s0"}},
         3e-5,
         3e-5,
         0,
         1});
  // The product feeds two ops of the epilogue, and a bool comes out.
  check({"%0 = eff.linear %a0, %a1 bias %a2 : ($0, $1, $2) -> $r:f32\n"
         "  %r = eff.compare lt %0, %a3 : ($r:f32, $3) -> $r",
         {x, w, bias, r},
         {tabulate(
             "i1", {6, 70},
             [&](const Shape &at) -> Real { return product(at) < r.at(at); })},
         {1, 2},
         {{6, "s0"}},
         0,
         0,
         0,
         1});
  // A choice by a bool tensor.
  Tensor mask = random.integers({6, 70}, 0, 1, "i1");
  check({"%0 = eff.linear %a0, %a1 bias %a2 : ($0, $1, $2) -> $r\n"
         "  %r = eff.select %a4, %0, %a3 : ($4, $r, $3) -> $r",
         {x, w, bias, r, mask},
         {tabulate("f32", {6, 70},
                   [&](const Shape &at) {
                     return mask.at(at) ? product(at) : r.at(at);
                   })},
         {1, 2},
         {{6, "s0"}},
         3e-5,
         3e-5});
}

// ---- Convolutions ----

struct Conv {
  Shape x;         ///< [N, C, spatial...]
  int64_t outputs; ///< channels
  std::vector<int64_t> kernel, strides, dilations, pads;
  int64_t groups = 1;
  std::string element = "f32";

  size_t rank() const { return kernel.size(); }
  Shape result() const {
    Shape y = {x[0], outputs};
    for (size_t i = 0; i < rank(); ++i)
      y.push_back((x[2 + i] + pads[i] + pads[rank() + i] -
                   dilations[i] * (kernel[i] - 1) - 1) /
                      strides[i] +
                  1);
    return y;
  }
  Shape weight() const {
    Shape w = {outputs, x[1] / groups};
    w.insert(w.end(), kernel.begin(), kernel.end());
    return w;
  }
  std::string attributes() const {
    return array("strides", strides) + ", " + array("dilations", dilations) +
           ", " + array("pads", pads) + ", groups = " + std::to_string(groups) +
           " : i64";
  }
  Real evaluate(const Tensor &in, const Tensor &w, const Shape &at) const {
    Real sum = 0;
    forEach(w.shape, [&](const Shape &tap) {
      if (tap[0] != at[1])
        return;
      int64_t group = at[1] / (outputs / groups);
      Shape source = {at[0], group * (x[1] / groups) + tap[1]};
      for (size_t i = 0; i < rank(); ++i) {
        int64_t p =
            at[2 + i] * strides[i] - pads[i] + tap[2 + i] * dilations[i];
        if (p < 0 || p >= x[2 + i])
          return;
        source.push_back(p);
      }
      sum += in.at(source) * w.at(tap);
    });
    return sum;
  }
};

void checkConv(const Conv &conv,
               const std::map<int64_t, std::string> &dims = {}) {
  SCOPED_TRACE(conv.attributes());
  Random random;
  Tensor x = numbers(random, conv.element, conv.x),
         w = numbers(random, conv.element, conv.weight()),
         bias = numbers(random, conv.element, {conv.outputs});
  // Only the taps of the output's own channel count, so sums are small.
  Tensor sums = tabulate("f64", conv.result(), [&](const Shape &at) {
    return conv.evaluate(x, w, at);
  });
  double tolerance = toleranceOf(conv.element);
  for (bool hasBias : {false, true})
    for (bool last : {false, true})
      for (bool constant : {true, false}) {
        if (!constant && hasBias)
          continue;
        Tensor y = tabulate(conv.element, sums.shape, [&](const Shape &at) {
          return sums.at(at) + (hasBias ? bias.at({at[1]}) : 0);
        });
        LoopCase c{std::string("eff.conv %a0, %a1") +
                       (hasBias ? " bias %a2" : "") + " {" + conv.attributes() +
                       (last ? ", channels_last = true}" : "}"),
                   {last ? toChannelsLast(x) : x, w},
                   {last ? toChannelsLast(y) : y},
                   {},
                   dims};
        if (constant)
          c.constants = {1};
        if (hasBias) {
          c.inputs.push_back(bias);
          c.constants.insert(2);
        }
        c.relative = c.absolute = tolerance;
        check(c);
      }
}

TEST(Conv, OneDim) {
  checkConv({{2, 3, 11}, 5, {3}, {1}, {1}, {1, 1}}, {{11, "s0"}});
  checkConv({{1, 4, 20}, 8, {5}, {2}, {2}, {4, 3}});
  checkConv({{1, 80, 9}, 32, {3}, {1}, {1}, {1, 1}}, {{9, "s0"}});
  checkConv({{1, 6, 9}, 6, {3}, {1}, {1}, {2, 0}, 6});
  checkConv({{1, 1, 1}, 1, {1}, {1}, {1}, {0, 0}});
}

TEST(Conv, TwoDims) {
  checkConv({{2, 3, 9, 8}, 7, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}},
            {{2, "s0"}});
  checkConv({{1, 16, 7, 5}, 33, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}},
            {{7, "s0"}, {5, "s1"}});
  checkConv({{1, 16, 8, 6}, 20, {1, 1}, {2, 2}, {1, 1}, {0, 0, 0, 0}});
  checkConv({{1, 3, 13, 12}, 40, {7, 7}, {2, 2}, {1, 1}, {3, 3, 3, 3}});
  checkConv({{1, 8, 9, 10}, 5, {3, 2}, {1, 2}, {2, 3}, {2, 0, 1, 3}});
  checkConv({{1, 5, 6, 6}, 4, {3, 3}, {1, 1}, {1, 1}, {0, 0, 0, 0}});
  checkConv({{0, 3, 6, 6}, 4, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}});
  checkConv({{1, 2, 1, 1}, 3, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}});
}

// Tiles that end with the rows of the result, one and two vectors wide.
TEST(Conv, TilesWithinRows) {
  checkConv({{2, 4, 9, 40}, 16, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}},
            {{2, "s0"}});
  checkConv({{1, 3, 11, 41}, 16, {3, 3}, {2, 2}, {1, 1}, {0, 0, 0, 0}});
  checkConv({{1, 5, 7, 16}, 20, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}},
            {{7, "s0"}});
}

TEST(Conv, JoinsPixelsOfFewOutputs) {
  checkConv({{2, 3, 9, 12}, 1, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}},
            {{2, "s0"}, {9, "s1"}});
  checkConv({{1, 4, 5, 24}, 8, {3, 19}, {1, 1}, {1, 1}, {1, 9, 1, 9}});
  checkConv({{1, 1, 574}, 1, {64}, {2}, {1}, {0, 0}});
  checkConv({{1, 5, 4, 20}, 3, {2, 3}, {1, 2}, {2, 1}, {0, 1, 1, 0}});
  checkConv({{1, 2, 3, 3, 8},
             2,
             {1, 2, 3},
             {1, 1, 1},
             {1, 1, 1},
             {0, 1, 1, 0, 0, 1}});
}

// First layers read planes where they lie: no launch transposes them.
TEST(Conv, ReadsPlanes) {
  for (const Conv &conv :
       {Conv{{2, 3, 9, 30}, 16, {3, 3}, {2, 2}, {1, 1}, {0, 0, 0, 0}},
        Conv{{1, 4, 12, 11}, 40, {3, 2}, {1, 2}, {2, 1}, {0, 0, 0, 0}},
        Conv{{1, 2, 7, 19}, 9, {1, 5}, {1, 1}, {1, 1}, {0, 0, 0, 0}}}) {
    SCOPED_TRACE(conv.attributes());
    Random random;
    Tensor x = random.floats(conv.x), w = random.floats(conv.weight()),
           bias = random.floats({conv.outputs});
    Tensor y = tabulate("f32", conv.result(), [&](const Shape &at) {
      return std::fmax(conv.evaluate(x, w, at) + bias.at({at[1]}), 0);
    });
    std::string last = "tensor<";
    for (int64_t size : toChannelsLast(x).shape)
      last += std::to_string(size) + "x";
    last += "f32>";
    check({"%0 = eff.transpose %a0 [0, 2, 3, 1] : ($0) -> " + last +
               "\n  %1 = eff.conv %0, %a1 bias %a2 {" + conv.attributes() +
               ", channels_last = true} : (" + last +
               ", $1, $2) -> $r\n"
               "  %r = eff.unary relu %1 : ($r) -> $r",
           {x, w, bias},
           {toChannelsLast(y)},
           {1, 2},
           {},
           2e-5,
           2e-5,
           0,
           1});
  }
}

TEST(Conv, ThreeDims) {
  checkConv({{1, 3, 5, 6, 4},
             6,
             {3, 2, 3},
             {1, 2, 1},
             {1, 1, 1},
             {1, 0, 1, 1, 1, 1}});
  checkConv({{1, 4, 4, 4, 4},
             3,
             {1, 1, 1},
             {1, 1, 1},
             {1, 1, 1},
             {0, 0, 0, 0, 0, 0}});
  checkConv({{1, 4, 5, 5, 5},
             4,
             {2, 2, 2},
             {2, 2, 2},
             {1, 2, 1},
             {0, 0, 0, 0, 0, 0},
             2});
}

TEST(Conv, Groups) {
  checkConv({{2, 6, 7, 7}, 9, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 3});
  checkConv({{1, 8, 6, 5}, 8, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 2},
            {{6, "s0"}, {5, "s1"}});
  checkConv({{1, 64, 5, 5}, 64, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 4});
  checkConv({{1, 4, 6, 6}, 8, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 4});
}

TEST(Conv, GroupsOfLanes) {
  checkConv({{1, 32, 9, 11}, 32, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 8},
            {{9, "s0"}, {11, "s1"}});
  checkConv({{2, 36, 8, 5}, 36, {3, 2}, {2, 1}, {1, 2}, {1, 0, 1, 2}, 18});
  checkConv({{1, 20, 7, 33}, 20, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 5});
  checkConv({{1, 4, 1}, 4, {3}, {1}, {1}, {1, 1}, 2});
}

TEST(Conv, Depthwise) {
  checkConv({{2, 5, 9, 11}, 5, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 5},
            {{9, "s0"}, {11, "s1"}});
  checkConv({{1, 19, 9, 12}, 19, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 19});
  checkConv({{1, 8, 9, 12}, 8, {5, 3}, {1, 2}, {2, 1}, {4, 0, 2, 3}, 8});
  checkConv({{1, 8, 7, 7}, 8, {7, 7}, {1, 1}, {1, 1}, {3, 3, 3, 3}, 8});
  checkConv({{1, 8, 2, 2}, 8, {5, 5}, {1, 1}, {1, 1}, {4, 4, 4, 4}, 8});
  checkConv({{1, 8, 9, 9}, 8, {9, 9}, {1, 1}, {1, 1}, {4, 4, 4, 4}, 8});
  checkConv({{0, 8, 9, 9}, 8, {3, 3}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 8});
  // Several tiles a row, the last one smaller; channels that fill no vector.
  checkConv({{1, 36, 3, 45}, 36, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 36});
  checkConv({{1, 20, 5, 67}, 20, {5, 5}, {2, 2}, {1, 1}, {2, 1, 2, 2}, 20});
  checkConv({{1, 17, 4, 40}, 17, {3, 3}, {1, 1}, {1, 3}, {1, 3, 1, 3}, 17});
  checkConv({{2, 24, 50}, 24, {5}, {1}, {1}, {2, 2}, 24});
  checkConv({{1, 24, 50}, 24, {4}, {3}, {2}, {0, 3}, 24}, {{50, "s0"}});
  // Maps of one column, of which only the padding has neighbours.
  checkConv({{1, 20, 9, 1}, 20, {3, 3}, {1, 2}, {1, 1}, {1, 2, 1, 1}, 20});
  checkConv({{1, 16, 1}, 16, {1}, {2}, {2}, {2, 1}, 16});
  // Parts of strips; every row of the map one of a step of its own.
  checkConv({{2, 16, 37, 5}, 16, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 16},
            {{37, "s0"}});
  checkConv({{1, 24, 40, 20}, 24, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, 24});
  checkConv({{1, 16, 20, 9}, 16, {2, 3}, {3, 1}, {1, 1}, {0, 1, 1, 1}, 16});
}

TEST(Conv, ElementTypes) {
  for (std::string element : {"f16", "f64", "bf16"}) {
    checkConv(
        {{1, 3, 6, 5}, 4, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, element});
    checkConv(
        {{1, 4, 6, 5}, 4, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 4, element});
  }
}

TEST(Conv, FusesItsEpilogue) {
  Random random;
  for (int64_t groups : {1, 2, 6}) {
    Conv conv{{1, 6, 7, 8}, 6, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, groups};
    Tensor x = random.floats(conv.x), w = random.floats(conv.weight()),
           r = random.floats(conv.result()), scale = random.floats({6});
    Tensor y = tabulate("f32", conv.result(), [&](const Shape &at) {
      Real sum = conv.evaluate(x, w, at) * scale.at({at[1]});
      return std::fmax(sum + r.at(at), 0);
    });
    check({"%0 = eff.conv %a0, %a1 {" + conv.attributes() +
               ", channels_last = true} : ($0, $1) -> $r\n"
               "  %1 = eff.binary mul %0, %a3 : ($r, $3) -> $r\n"
               "  %2 = eff.binary add %1, %a2 : ($r, $2) -> $r\n"
               "  %r = eff.unary relu %2 : ($r) -> $r",
           {toChannelsLast(x), w, toChannelsLast(r), scale},
           {toChannelsLast(y)},
           {1, 3}, // so that the factors can be repeated for joined pixels
           {{7, "s0"}},
           2e-5,
           2e-5,
           0,
           1});
  }
}

/// By Winograd's algorithm, for vectors of both widths; bias, a factor per
/// channel, a residual and an activation behind it.
void checkWinograd(const Conv &conv,
                   const std::map<int64_t, std::string> &dims = {}) {
  SCOPED_TRACE(conv.attributes());
  Random random;
  Tensor x = random.floats(conv.x), w = random.floats(conv.weight()),
         bias = random.floats({conv.outputs}),
         scale = random.floats({conv.outputs}),
         r = random.floats(conv.result());
  Tensor sums = tabulate("f64", conv.result(), [&](const Shape &at) {
    return conv.evaluate(x, w, at);
  });
  auto result = [&](bool fused) {
    return toChannelsLast(tabulate("f32", sums.shape, [&](const Shape &at) {
      Real sum = sums.at(at);
      if (fused)
        sum = (sum + bias.at({at[1]})) * scale.at({at[1]}) + r.at(at);
      return fused ? std::fmax(sum, 0) : sum;
    }));
  };
  // The bound counts from the largest output.
  Real largest = 1;
  for (Real value : sums.values)
    largest = std::fmax(largest, std::fabs(value));
  std::string attributes = " {" + conv.attributes() + ", channels_last = true}";
  LoopCase c{"eff.conv %a0, %a1" + attributes,
             {toChannelsLast(x), w},
             {result(false)},
             {1},
             dims,
             0,
             1e-5 * static_cast<double>(largest),
             0,
             1,
             true,
             {"native", "v3"}};
  check(c);
  c.text = "%0 = eff.conv %a0, %a1 bias %a2" + attributes +
           " : ($0, $1, $2) -> $r\n"
           "  %1 = eff.binary mul %0, %a3 : ($r, $3) -> $r\n"
           "  %2 = eff.binary add %1, %a4 : ($r, $4) -> $r\n"
           "  %r = eff.unary relu %2 : ($r) -> $r";
  c.inputs = {toChannelsLast(x), w, bias, scale, toChannelsLast(r)};
  c.expected = {result(true)};
  c.constants = {1, 2};
  check(c);
}

TEST(Conv, Winograd) {
  std::vector<int64_t> ones = {1, 1}, same = {1, 1, 1, 1};
  checkWinograd({{2, 5, 9, 8}, 7, {3, 3}, ones, ones, same}, {{2, "s0"}});
  checkWinograd({{1, 19, 11, 6}, 33, {3, 3}, ones, ones, {0, 0, 0, 0}},
                {{11, "s0"}, {6, "s1"}, {9, "s0 - 2"}, {4, "s1 - 2"}});
  checkWinograd({{1, 16, 5, 13}, 32, {3, 3}, ones, ones, {2, 1, 0, 3}});
  checkWinograd({{3, 17, 12, 4}, 6, {3, 3}, ones, ones, {5, 0, 3, 7}});
  checkWinograd({{5, 4, 1, 1}, 3, {3, 3}, ones, ones, same});
  checkWinograd({{1, 3, 2, 37}, 49, {3, 3}, ones, ones, same}, {{37, "s0"}});
  checkWinograd({{0, 3, 6, 6}, 4, {3, 3}, ones, ones, same});
  checkWinograd({{1, 1, 33, 29}, 2, {3, 3}, ones, ones, same},
                {{33, "s0"}, {29, "s1"}});
}

/// Tiles of more than one strip, and sizes below a tile beside them.
TEST(Conv, WinogradStrips) {
  std::vector<int64_t> ones = {1, 1}, same = {1, 1, 1, 1};
  checkWinograd({{4, 8, 21, 22}, 8, {3, 3}, ones, ones, same},
                {{4, "s0"}, {21, "s1"}, {22, "s2"}});
}

TEST(ConvTranspose, AllForms) {
  struct Case {
    Conv conv; ///< x and weight as conv_transpose has them
    std::vector<int64_t> outputPadding;
  };
  Random random;
  for (const Case &c : std::vector<Case>{
           {{{2, 3, 7}, 4, {3}, {2}, {1}, {1, 0}}, {1}},
           {{{1, 3, 4, 5}, 2, {3, 3}, {1, 1}, {1, 1}, {0, 0, 0, 0}}, {0, 0}},
           {{{1, 4, 4, 5}, 6, {4, 2}, {2, 3}, {1, 2}, {1, 0, 1, 1}, 2}, {1, 2}},
           {{{1, 4, 3, 3}, 4, {3, 3}, {2, 2}, {2, 1}, {1, 1, 2, 0}, 4}, {0, 1}},
           {{{1, 2, 3, 2, 3},
             3,
             {2, 3, 2},
             {2, 1, 2},
             {1, 1, 1},
             {0, 1, 0, 1, 0, 0}},
            {0, 0, 0}}}) {
    const Conv &conv = c.conv;
    SCOPED_TRACE(conv.attributes());
    size_t rank = conv.rank();
    Shape wShape = {conv.x[1], conv.outputs / conv.groups},
          shape = {conv.x[0], conv.outputs};
    for (size_t i = 0; i < rank; ++i) {
      wShape.push_back(conv.kernel[i]);
      shape.push_back(conv.strides[i] * (conv.x[2 + i] - 1) +
                      c.outputPadding[i] +
                      (conv.kernel[i] - 1) * conv.dilations[i] + 1 -
                      conv.pads[i] - conv.pads[rank + i]);
    }
    Tensor x = random.floats(conv.x), w = random.floats(wShape),
           bias = random.floats({conv.outputs});
    Tensor sums = tabulate("f64", shape,
                           [&](const Shape &at) { return bias.at({at[1]}); });
    // Every element of x is spread over the result.
    forEach(x.shape, [&](const Shape &at) {
      forEach(w.shape, [&](const Shape &tap) {
        if (tap[0] != at[1])
          return;
        int64_t group = at[1] / (conv.x[1] / conv.groups);
        Shape to = {at[0], group * wShape[1] + tap[1]};
        for (size_t i = 0; i < rank; ++i) {
          int64_t p = at[2 + i] * conv.strides[i] - conv.pads[i] +
                      tap[2 + i] * conv.dilations[i];
          if (p < 0 || p >= shape[2 + i])
            return;
          to.push_back(p);
        }
        sums.set(to, sums.at(to) + x.at(at) * w.at(tap));
      });
    });
    Tensor y =
        tabulate("f32", shape, [&](const Shape &at) { return sums.at(at); });
    check({"eff.conv_transpose %a0, %a1 bias %a2 {" + conv.attributes() + ", " +
               array("output_padding", c.outputPadding) + "}",
           {x, w, bias},
           {y},
           {1, 2},
           {},
           2e-5,
           2e-5});
  }
}

} // namespace
