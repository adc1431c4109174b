// Reductions, scans, top-k, softmax and norms.
#include "LoopCase.h"
#include <algorithm>
#include <cmath>
#include <numeric>

using namespace effc;

namespace {

std::string list(const std::vector<int64_t> &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? "" : ", ") + std::to_string(value);
  return text;
}

bool contains(const std::vector<int64_t> &axes, int64_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

/// The elements that meet in each element of the reduced tensor.
struct Groups {
  Shape shape; ///< with the reduced dims 1
  std::vector<std::vector<Real>> members;

  Groups(const Tensor &x, const std::vector<int64_t> &axes) : shape(x.shape) {
    for (int64_t axis : axes)
      shape[axis] = 1;
    members.resize(count(shape));
    Tensor result("f64", shape);
    forEach(x.shape, [&](Shape at) {
      Real value = x.at(at);
      for (int64_t axis : axes)
        at[axis] = 0;
      members[result.position(at)].push_back(value);
    });
  }
};

Real reduce(const std::string &kind, const std::string &element,
            const std::vector<Real> &values) {
  Real result = kind == "max"    ? lowestOf(element)
                : kind == "min"  ? highestOf(element)
                : kind == "prod" ? 1
                                 : 0;
  Real highest = -inf;
  for (Real x : values)
    highest = std::isnan(x) || std::isnan(highest) ? NaN : std::max(highest, x);
  Real shift = std::isinf(highest) ? 0 : highest;
  for (Real x : values) {
    if (kind == "max")
      result = std::isnan(x) || std::isnan(result) ? NaN : std::max(result, x);
    else if (kind == "min")
      result = std::isnan(x) || std::isnan(result) ? NaN : std::min(result, x);
    else if (kind == "prod")
      result *= x;
    else if (kind == "l1")
      result += std::fabs(x);
    else if (kind == "l2" || kind == "sum_square")
      result += x * x;
    else if (kind == "log_sum_exp")
      result += std::exp(x - shift);
    else
      result += x;
  }
  if (kind == "mean")
    return result / values.size();
  if (kind == "l2")
    return std::sqrt(result);
  if (kind == "log_sum")
    return std::log(result);
  return kind == "log_sum_exp" ? std::log(result) + shift : result;
}

const std::vector<std::string> kinds = {
    "sum", "mean", "max",        "min",     "prod",
    "l1",  "l2",   "sum_square", "log_sum", "log_sum_exp"};

void checkReduce(const std::string &kind, const Tensor &x,
                 const std::vector<int64_t> &axes, bool keepdims,
                 double tolerance = 1e-5) {
  SCOPED_TRACE(kind + " " + x.element + " [" + list(axes) + "]");
  Groups groups(x, axes);
  Tensor y(x.element, groups.shape);
  for (size_t i = 0; i < y.values.size(); ++i)
    y.values[i] =
        roundTo(x.element, reduce(kind, x.element, groups.members[i]));
  if (!keepdims) {
    Shape shape;
    for (size_t i = 0; i < x.shape.size(); ++i)
      if (!contains(axes, i))
        shape.push_back(x.shape[i]);
    y = reshape(y, shape);
  }
  LoopCase c{"eff.reduce " + kind + " %a0 [" + list(axes) +
                 "] {keepdims = " + (keepdims ? "true" : "false") + "}",
             {x},
             {y},
             {},
             {{5, "s0"}, {70, "s1"}},
             tolerance,
             tolerance};
  check(c);
}

TEST(Reduce, FloatKindsOverAxes) {
  Random random;
  Tensor x = random.floats({3, 5, 70}, 0.5, 1.5);
  for (const std::string &kind : kinds)
    for (auto axes :
         {std::vector<int64_t>{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 2}, {0, 1, 2}})
      checkReduce(kind, x, axes, true);
}

TEST(Reduce, DropsDims) {
  Random random;
  Tensor x = random.floats({3, 5, 7}, -1.5, 1.5);
  for (const char *kind : {"sum", "max", "l1"})
    for (auto axes : {std::vector<int64_t>{0}, {2}, {0, 1}, {0, 1, 2}})
      checkReduce(kind, x, axes, false);
  checkReduce("mean", random.floats({2, 7, 7, 130}), {1, 2}, true);
  checkReduce("mean", random.floats({2, 7, 7, 130}), {1, 2}, false);
}

TEST(Reduce, OtherElementTypes) {
  Random random;
  for (const std::string &kind : kinds) {
    checkReduce(kind, random.floats({3, 70}, 0.5, 1.4, "f64"), {1}, true);
    checkReduce(kind, random.floats({3, 9}, 0.5, 1.4, "f16"), {1}, true, 2e-3);
    checkReduce(kind, random.floats({3, 9}, 0.5, 1.4, "bf16"), {0}, true, 2e-2);
  }
  for (std::string kind : {"sum", "max", "min", "prod", "l1", "sum_square"}) {
    checkReduce(kind, random.integers({3, 5, 9}, -4, 4, "i32"), {1}, true);
    checkReduce(kind, random.integers({3, 5, 9}, -4, 4), {2}, false);
  }
  for (std::string kind : {"max", "min"}) {
    checkReduce(kind, random.integers({3, 9}, 0, 250, "ui8"), {0}, true);
    checkReduce(kind, random.integers({3, 9}, -120, 120, "i8"), {1}, true);
    checkReduce(kind, random.integers({3, 9}, 0, 1, "i1"), {1}, true);
  }
  checkReduce("mean", random.integers({3, 9}, -50, 50, "i32"), {1}, true);
}

TEST(Reduce, NothingAndSpecialValues) {
  for (const char *kind : {"sum", "max", "min", "prod", "l1", "sum_square",
                           "log_sum", "log_sum_exp"}) {
    checkReduce(kind, Tensor("f32", {3, 0}), {1}, true);
    checkReduce(kind, Tensor("f32", {0, 5, 70}), {0}, true);
  }
  for (const char *kind : {"sum", "max", "min", "prod"})
    checkReduce(kind, Tensor("i32", {3, 0}), {1}, true);
  Random random;
  Tensor x = random.floats({8, 40});
  x.set({1, 3}, NaN);
  x.set({2, 0}, inf);
  x.set({3, 39}, -inf);
  for (int64_t i = 0; i < 40; ++i)
    x.set({4, i}, -inf);
  for (const char *kind : {"max", "min", "log_sum_exp", "sum"}) {
    checkReduce(kind, x, {1}, true);
    checkReduce(kind, permute(x, {1, 0}), {0}, true);
  }
}

TEST(Reduce, FusesWithItsNeighbours) {
  Random random;
  Tensor x = random.floats({5, 70});
  Tensor y = tabulate("f32", {5, 1}, [&](const Shape &at) {
    Real sum = 0;
    for (int64_t i = 0; i < 70; ++i)
      sum += std::exp(x.at({at[0], i}));
    return std::sqrt(sum);
  });
  check({"%0 = eff.unary exp %a0 : ($0) -> $0\n"
         "  %1 = eff.reduce sum %0 [1] : ($0) -> $r\n"
         "  %r = eff.unary sqrt %1 : ($r) -> $r",
         {x},
         {y},
         {},
         {{5, "s0"}, {70, "s1"}},
         1e-5,
         1e-6,
         0,
         1});
}

// ---- Selections and scans ----

/// Whether x comes before y in a sort; NaN is the largest value.
bool precedes(Real x, Real y, bool largest) {
  if (std::isnan(x) || std::isnan(y))
    return largest ? std::isnan(x) && !std::isnan(y)
                   : !std::isnan(x) && std::isnan(y);
  return largest ? x > y : x < y;
}

Tensor withTies(const std::string &element, const Shape &shape) {
  Random random;
  Tensor x = random.integers(shape, 0, 4, element);
  return x;
}

TEST(Reduce, ArgReduceWithTies) {
  for (std::string element : {"f32", "f16", "i64", "ui8"})
    for (int64_t axis : {0, 1, 2})
      for (bool max : {true, false})
        for (bool last : {true, false}) {
          Tensor x = withTies(element, {4, 6, 9});
          Shape shape = x.shape;
          shape[axis] = 1;
          Tensor y = tabulate("i64", shape, [&](Shape at) -> Real {
            int64_t best = 0;
            for (int64_t i = 0; i < x.shape[axis]; ++i) {
              Shape own = at, other = at;
              own[axis] = i;
              other[axis] = best;
              Real a = x.at(own), b = x.at(other);
              if ((max ? a > b : a < b) || (last && a == b))
                best = i;
            }
            return best;
          });
          bool keep = axis != 1;
          if (!keep)
            y = reshape(y, {4, 9});
          check({std::string("eff.arg_reduce ") + (max ? "max" : "min") +
                     " %a0 axis " + std::to_string(axis) +
                     " {keepdims = " + (keep ? "true" : "false") +
                     ", select_last = " + (last ? "true" : "false") + "}",
                 {x},
                 {y},
                 {},
                 {{9, "s0"}}});
        }
}

TEST(Reduce, ArgReduceTakesTheFirstNaN) {
  Tensor x("f32", {2, 5}, {1, NaN, 3, NaN, 2, -inf, -inf, -inf, -inf, -inf});
  for (const char *kind : {"max", "min"})
    check({std::string("eff.arg_reduce ") + kind + " %a0 axis 1",
           {x},
           {Tensor("i64", {2, 1}, {1, 0})}});
}

TEST(Reduce, Scan) {
  Random random;
  for (std::string element : {"f32", "f16", "i64"})
    for (int64_t axis : {0, 1})
      for (int flags = 0; flags < 4; ++flags)
        for (bool sum : {true, false}) {
          bool exclusive = flags & 1, reverse = flags & 2;
          Tensor x = isFloatElement(element)
                         ? random.floats({6, 5}, 0.5, 1.5, element)
                         : random.integers({6, 5}, -3, 3, element);
          int64_t n = x.shape[axis];
          Tensor y = tabulate(element, x.shape, [&](Shape at) {
            Real total = sum ? 0 : 1;
            for (int64_t i = 0; i < n; ++i) {
              bool before = reverse ? i > at[axis] : i < at[axis];
              Shape own = at;
              own[axis] = i;
              if (before || (!exclusive && i == at[axis]))
                total = sum ? total + x.at(own) : total * x.at(own);
            }
            return total;
          });
          double tolerance = element == "f16" ? 2e-3 : 1e-5;
          check({std::string("eff.scan ") + (sum ? "sum" : "prod") +
                     " %a0 axis " + std::to_string(axis) +
                     " {exclusive = " + (exclusive ? "true" : "false") +
                     ", reverse = " + (reverse ? "true" : "false") + "}",
                 {x},
                 {y},
                 {},
                 {{5, "s0"}},
                 tolerance,
                 tolerance});
        }
}

void checkTopK(const Tensor &x, int64_t axis, int64_t k, bool largest) {
  Shape shape = x.shape;
  shape[axis] = k;
  Tensor values(x.element, shape), indices("i64", shape);
  Shape lines = x.shape;
  lines[axis] = 1;
  forEach(lines, [&](Shape at) {
    std::vector<int64_t> order(x.shape[axis]);
    std::iota(order.begin(), order.end(), 0);
    auto value = [&](int64_t i) {
      at[axis] = i;
      return x.at(at);
    };
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return precedes(value(a), value(b), largest);
    });
    for (int64_t i = 0; i < k; ++i) {
      Real v = value(order[i]);
      at[axis] = i;
      values.set(at, v);
      indices.set(at, order[i]);
    }
  });
  check({"eff.topk %a0 axis " + std::to_string(axis) +
             (largest ? "" : " {largest = false}"),
         {x},
         {values, indices}});
}

TEST(Reduce, TopK) {
  for (bool largest : {true, false}) {
    for (std::string element : {"f32", "f16", "i64", "ui8"})
      for (int64_t axis : {0, 1})
        for (int64_t k : {0, 3, 6})
          checkTopK(withTies(element, {6, 7}), axis, k, largest);
    Tensor x("f32", {2, 6},
             {1, NaN, inf, -inf, NaN, 1, 0, -0.0L, 2, 2, NaN, 2});
    for (int64_t k : {2, 6})
      checkTopK(x, 1, k, largest);
  }
}

// ---- Softmax and norms ----

TEST(Rows, Softmax) {
  Random random;
  for (bool log : {false, true})
    for (std::string element : {"f32", "f64", "f16", "bf16"})
      for (int64_t axis : {0, 1, 2}) {
        Tensor x = random.floats({3, 5, 17}, -20, 20, element);
        Groups groups(x, {axis});
        Tensor sums("f64", groups.shape);
        Tensor y = tabulate(element, x.shape, [&](const Shape &at) {
          const auto &row = groups.members[sums.position(
              {axis == 0 ? 0 : at[0], axis == 1 ? 0 : at[1],
               axis == 2 ? 0 : at[2]})];
          Real total = 0;
          for (Real v : row)
            total += std::exp(v - x.at(at));
          return log ? -std::log(total) : 1 / total;
        });
        double tolerance = element == "f16"    ? 2e-3
                           : element == "bf16" ? 2e-2
                                               : 1e-5;
        check({"eff.softmax %a0 axis " + std::to_string(axis) +
                   (log ? " {log = true}" : ""),
               {x},
               {y},
               {},
               {{5, "s0"}, {17, "s1"}},
               tolerance,
               tolerance});
      }
}

TEST(Rows, SoftmaxOfSpecialRows) {
  Tensor x(
      "f32", {5, 3},
      {-inf, 0, 0, 1000, 1000, -1000, NaN, 0, 0, -inf, -inf, -inf, 7, 7, 7});
  Tensor y("f32", {5, 3},
           {0, 0.5L, 0.5L, 0.5L, 0.5L, 0, NaN, NaN, NaN, NaN, NaN, NaN,
            1 / 3.0L, 1 / 3.0L, 1 / 3.0L});
  check({"eff.softmax %a0 axis 1", {x}, {y}});
  check({"eff.softmax %a0 axis 1",
         {Tensor("f32", {4, 1}, 3)},
         {Tensor("f32", {4, 1}, 1)}});
  check({"eff.softmax %a0 axis 1",
         {Tensor("f32", {4, 0})},
         {Tensor("f32", {4, 0})}});
  check({"eff.softmax %a0 axis 1",
         {Tensor("f32", {0, 4})},
         {Tensor("f32", {0, 4})}});
}

struct Statistics {
  Real mean = 0, variance = 0, square = 0;
  explicit Statistics(const std::vector<Real> &values) {
    for (Real x : values)
      mean += x / values.size();
    for (Real x : values) {
      variance += (x - mean) * (x - mean) / values.size();
      square += x * x / values.size();
    }
  }
};

/// 33 elements are no whole number of vectors, 48 are three, 64 a few at once.
class NormWidth : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Rows, NormWidth, testing::Values(33, 48, 64));

TEST_P(NormWidth, LayerAndRMSNorm) {
  Random random;
  int64_t width = GetParam();
  for (std::string element : {"f32", "f64", "f16"})
    for (int64_t axis : {1, 2})
      for (int parts = 0; parts < 3; ++parts) {
        Tensor x = random.floats({3, 5, width}, 9, 11, element);
        std::vector<int64_t> axes = {2};
        Shape inner = {width};
        if (axis == 1) {
          axes = {1, 2};
          inner = {5, width};
        }
        Tensor scale = random.floats(inner, 0.5, 1.5, element);
        Tensor bias = random.floats({width}, -1, 1, element);
        Groups groups(x, axes);
        std::vector<Statistics> all;
        for (const auto &row : groups.members)
          all.emplace_back(row);
        Tensor rows("f64", groups.shape);
        auto expected = [&](bool rms) {
          return tabulate(element, x.shape, [&](const Shape &at) {
            const Statistics &s =
                all[rows.position({at[0], axis == 1 ? 0 : at[1], 0})];
            Real y = rms ? x.at(at) / std::sqrt(s.square + 1e-5L)
                         : (x.at(at) - s.mean) / std::sqrt(s.variance + 1e-5L);
            if (parts > 0)
              y *= scale.broadcast(at);
            return parts > 1 && !rms ? y + bias.broadcast(at) : y;
          });
        };
        std::vector<Tensor> inputs = {x};
        std::string operands = " %a0";
        if (parts > 0) {
          inputs.push_back(scale);
          operands += " scale %a1";
        }
        std::string tail =
            " axis " + std::to_string(axis) + " {epsilon = 1.0e-5 : f64}";
        double tolerance = element == "f16" ? 4e-3 : 3e-5;
        std::map<int64_t, std::string> dims = {{5, "s0"}};
        if (width == 33)
          dims[width] = "s1";
        check({"eff.rms_norm" + operands + tail,
               inputs,
               {expected(true)},
               {},
               dims,
               tolerance,
               tolerance});
        if (parts > 1) {
          inputs.push_back(bias);
          operands += " bias %a2";
        }
        // operandSegmentSizes follow from the syntax.
        check({"eff.layer_norm" + operands + tail,
               inputs,
               {expected(false)},
               {},
               dims,
               tolerance,
               tolerance});
      }
}

TEST(Rows, LayerNormFarFromZero) {
  // The mean of squares minus the squared mean would lose everything here.
  Random random;
  Tensor x = random.floats({2, 64}, 4095, 4097);
  Groups groups(x, {1});
  Tensor y = tabulate("f32", x.shape, [&](const Shape &at) {
    Statistics s(groups.members[at[0]]);
    return (x.at(at) - s.mean) / std::sqrt(s.variance + 1e-5L);
  });
  check({"eff.layer_norm %a0 axis 1 {epsilon = 1.0e-5 : f64}",
         {x},
         {y},
         {},
         {},
         2e-3,
         2e-3});
}

TEST(Rows, GroupNormInBothLayouts) {
  Random random;
  for (int64_t groups : {1, 2, 6})
    for (Shape shape :
         {Shape{2, 6, 5, 3}, {2, 6, 7}, {2, 6}, {1, 6, 1, 1, 2}}) {
      Tensor x = random.floats(shape, 3, 5), scale = random.floats({6}),
             bias = random.floats({6});
      auto groupOf = [&](const Shape &at) {
        return at[0] * groups + at[1] / (6 / groups);
      };
      std::vector<std::vector<Real>> members(shape[0] * groups);
      forEach(shape, [&](const Shape &at) {
        members[groupOf(at)].push_back(x.at(at));
      });
      Tensor y = tabulate("f32", shape, [&](const Shape &at) {
        Statistics s(members[groupOf(at)]);
        Real normal = (x.at(at) - s.mean) / std::sqrt(s.variance + 1e-3L);
        return normal * scale.at({at[1]}) + bias.at({at[1]});
      });
      std::string tail =
          " groups " + std::to_string(groups) + " {epsilon = 1.0e-3 : f64";
      std::string text = "eff.group_norm %a0 scale %a1 bias %a2" + tail;
      std::map<int64_t, std::string> dims = {{5, "s0"}, {3, "s1"}, {7, "s2"}};
      check({text + "}", {x, scale, bias}, {y}, {}, dims, 1e-4, 1e-4});
      check({text + ", channels_last = true}",
             {toChannelsLast(x), scale, bias},
             {toChannelsLast(y)},
             {},
             dims,
             1e-4,
             1e-4});
    }
}

} // namespace
