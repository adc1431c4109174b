// Data movement, gather and scatter.
#include "LoopCase.h"
#include <algorithm>
#include <functional>

using namespace effc;

namespace {

std::string list(const std::vector<int64_t> &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? "" : ", ") + std::to_string(value);
  return text;
}
std::string dims(const std::vector<int64_t> &values) {
  return "<" + list(values) + ">";
}

TEST(Movement, Transpose) {
  Random random;
  for (std::vector<int64_t> order : {std::vector<int64_t>{1, 0},
                                     {0, 1},
                                     {2, 0, 1},
                                     {0, 2, 1},
                                     {0, 3, 1, 2},
                                     {3, 2, 1, 0}}) {
    Shape shape = {5, 7, 3, 4};
    shape.resize(order.size());
    for (std::string element : {"f32", "i64", "i1", "f16"}) {
      Tensor x = random.integers(shape, 0, 1, element);
      check({"eff.transpose %a0 [" + list(order) + "]",
             {x},
             {permute(x, order)},
             {},
             {{5, "s0"}, {7, "s1"}}});
    }
  }
  Tensor empty = random.floats({0, 7});
  check({"eff.transpose %a0 [1, 0]", {empty}, {permute(empty, {1, 0})}});
}

TEST(Movement, SliceAndReverse) {
  Random random;
  struct Case {
    Shape from, to;
    std::vector<int64_t> offsets, strides;
  };
  for (const Case &c :
       std::vector<Case>{{{10}, {4}, {1}, {2}},
                         {{10}, {10}, {9}, {-1}},
                         {{7, 9}, {3, 4}, {6, 8}, {-3, -2}},
                         {{7, 9}, {2, 0}, {1, 3}, {1, 1}},
                         {{3, 5, 7}, {1, 5, 3}, {2, 0, 1}, {1, 1, 2}},
                         {{3, 5, 7}, {3, 2, 7}, {0, 3, 0}, {1, -2, 1}}}) {
    Tensor x = random.floats(c.from);
    Tensor y = tabulate("f32", c.to, [&](const Shape &at) {
      Shape source(at.size());
      for (size_t i = 0; i < at.size(); ++i)
        source[i] = c.offsets[i] + at[i] * c.strides[i];
      return x.at(source);
    });
    check({"eff.slice %a0 " + dims(c.offsets) + " by [" + list(c.strides) + "]",
           {x},
           {y}});
  }
  // The offset of a reversed symbolic dim.
  Tensor x = random.floats({11, 3});
  Tensor y = tabulate("f32", {11, 3}, [&](const Shape &at) {
    return x.at({10 - at[0], at[1]});
  });
  LoopCase reversed{"%r = eff.slice %a0 <s0 - 1, 0> by [-1, 1] : ($0) -> $r",
                    {x},
                    {y},
                    {},
                    {{11, "s0"}}};
  LoopCase known = reversed;
  known.text = "eff.slice %a0 <10, 0> by [-1, 1]";
  known.dims.clear();
  check(known);
}

Real padded(const Tensor &x, const std::string &mode, Shape at,
            const std::vector<int64_t> &low, Real fill) {
  for (size_t i = 0; i < at.size(); ++i) {
    int64_t n = x.shape[i], index = at[i] - low[i];
    if (index < 0 || index >= n) {
      if (mode == "constant")
        return fill;
      if (mode == "edge")
        index = std::clamp<int64_t>(index, 0, n - 1);
      while (mode == "wrap" && index < 0)
        index += n;
      while (mode == "wrap" && index >= n)
        index -= n;
      while (mode == "reflect" && (index < 0 || index >= n))
        index = n == 1 ? 0 : index < 0 ? -index : 2 * (n - 1) - index;
    }
    at[i] = index;
  }
  return x.at(at);
}

TEST(Movement, PadInAllModes) {
  Random random;
  struct Case {
    Shape from, to;
    std::vector<int64_t> low;
  };
  for (const Case &c :
       std::vector<Case>{{{5}, {9}, {2}},
                         {{3, 4}, {6, 4}, {1, 0}},
                         {{3, 4}, {5, 9}, {0, 3}},
                         {{1, 5, 6, 3}, {1, 8, 8, 3}, {0, 1, 2, 0}},
                         {{2, 3, 4}, {2, 3, 5}, {0, 0, 0}},
                         {{1, 2}, {4, 7}, {2, 3}}})
    for (std::string mode : {"constant", "reflect", "edge", "wrap"}) {
      SCOPED_TRACE(mode);
      Tensor x = random.floats(c.from), value = random.floats({});
      auto expected = [&](Real fill) {
        return tabulate("f32", c.to, [&](const Shape &at) {
          return padded(x, mode, at, c.low, fill);
        });
      };
      check({"eff.pad " + mode + " %a0 " + dims(c.low), {x}, {expected(0)}});
      if (mode == "constant")
        check({"eff.pad constant %a0 value %a1 " + dims(c.low),
               {x, value},
               {expected(value.values[0])}});
    }
  Tensor empty = random.floats({0, 3});
  check({"eff.pad constant %a0 <1, 0>", {empty}, {Tensor("f32", {2, 3})}});
  Tensor flags = random.integers({4}, 0, 1, "i1");
  check({"eff.pad constant %a0 <1>",
         {flags},
         {tabulate("i1", {6}, [&](const Shape &at) {
           return padded(flags, "constant", at, {1}, 0);
         })}});
}

TEST(Movement, Concat) {
  Random random;
  for (int64_t axis : {0, 1, 2})
    for (std::string element : {"f32", "i64", "i1"}) {
      std::vector<Tensor> parts;
      Shape shape = {3, 4, 5};
      shape[axis] = 0;
      for (int64_t size : {2, 0, 1, 7}) {
        Shape own = {3, 4, 5};
        own[axis] = size;
        parts.push_back(random.integers(own, 0, 1, element));
        shape[axis] += size;
      }
      Tensor y = tabulate(element, shape, [&](Shape at) {
        size_t part = 0;
        while (at[axis] >= parts[part].shape[axis])
          at[axis] -= parts[part++].shape[axis];
        return parts[part].at(at);
      });
      check({"eff.concat %a0, %a1, %a2, %a3 axis " + std::to_string(axis),
             parts,
             {y}});
    }
  Tensor x = random.floats({3, 6}), y = random.floats({3, 2});
  auto at = [&](const Shape &i) {
    return i[1] < 6 ? 2 * x.at(i) : y.at({i[0], i[1] - 6});
  };
  check({"%0 = eff.binary add %a0, %a0 : ($0, $0) -> $0\n"
         "  %r = eff.concat %0, %a1 axis 1 : ($0, $1) -> $r",
         {x, y},
         {tabulate("f32", {3, 8}, at)},
         {},
         {{6, "s0"}, {8, "s0 + 2"}, {3, "s1"}}});
}

TEST(Movement, TileBroadcastReshapeIota) {
  Random random;
  Tensor x = random.floats({2, 3, 5});
  check(
      {"eff.tile %a0", {x}, {tabulate("f32", {4, 3, 15}, [&](const Shape &at) {
         return x.at({at[0] % 2, at[1], at[2] % 5});
       })}});
  Tensor row = random.floats({3, 1});
  check({"eff.broadcast %a0",
         {row},
         {tabulate("f32", {2, 3, 5},
                   [&](const Shape &at) { return row.broadcast(at); })},
         {},
         {{5, "s0"}}});
  // Between elementwise ops a reshape is a view or is pulled through.
  check(
      {"%0 = eff.unary neg %a0 : ($0) -> $0\n"
       "  %1 = eff.reshape %0 : ($0) -> tensor<6x5xf32>\n"
       "  %2 = eff.transpose %1 [1, 0] : (tensor<6x5xf32>) -> tensor<5x6xf32>\n"
       "  %r = eff.reshape %2 : (tensor<5x6xf32>) -> $r",
       {x},
       {tabulate("f32", {5, 2, 3}, [&](const Shape &at) {
         return -x.at({at[1], at[2], at[0]});
       })}});
  check({"%0 = eff.iota axis 1 <3, -2> : tensor<4x6xi64>\n"
         "  %r = eff.binary add %0, %a0 : (tensor<4x6xi64>, $0) -> $r",
         {Tensor("i64", {1}, 100)},
         {tabulate("i64", {4, 6},
                   [&](const Shape &at) { return 103 - 2 * at[1]; })}});
  check({"%0 = eff.dim_values <7, 9, 11> : tensor<3xi64>\n"
         "  %r = eff.binary mul %0, %a0 : (tensor<3xi64>, $0) -> $r",
         {Tensor("i64", {3}, 2)},
         {Tensor("i64", {3}, {14, 18, 22})}});
}

// ---- Gather ----

TEST(Movement, Gather) {
  Random random;
  Tensor x = random.floats({4, 7, 5});
  for (int64_t axis : {0, 1, 2})
    for (std::string element : {"i64", "i32"})
      for (Shape shape : {Shape{}, {6}, {2, 3}, {0}}) {
        int64_t n = x.shape[axis];
        Tensor indices = random.integers(shape, -n, n - 1, element);
        Shape result(x.shape.begin(), x.shape.begin() + axis);
        result.insert(result.end(), shape.begin(), shape.end());
        result.insert(result.end(), x.shape.begin() + axis + 1, x.shape.end());
        Tensor y = tabulate("f32", result, [&](const Shape &at) {
          Shape where(at.begin() + axis, at.begin() + axis + shape.size());
          Shape source(at.begin(), at.begin() + axis);
          int64_t index = indices.at(where);
          source.push_back(index < 0 ? index + n : index);
          source.insert(source.end(), at.begin() + axis + shape.size(),
                        at.end());
          return x.at(source);
        });
        check({"eff.gather %a0[%a1] axis " + std::to_string(axis),
               {x, indices},
               {y},
               {},
               {{5, "s0"}, {7, "s1"}, {6, "s2"}}});
      }
}

/// Without elements no index is right; nothing may be read.
TEST(Movement, AxesWithoutElements) {
  Tensor x("f32", {0, 5}), y("f32", {3, 5});
  for (std::string text :
       {"eff.gather %a0[%a1] axis 0", "eff.gather_nd %a0[%a1]",
        "eff.gather_elements %a0[%a1] axis 0", "eff.pad wrap %a0 <1, 0>",
        "eff.pad edge %a0 <1, 0>", "eff.pad reflect %a0 <1, 0>"}) {
    Shape indices = {3};
    if (text.find("_nd") != text.npos)
      indices = {3, 1};
    if (text.find("_elements") != text.npos)
      indices = {3, 5};
    LoopCase c{text, {x}, {y}, {}, {{0, "s0"}}};
    if (text.find("gather") != text.npos)
      c.inputs.push_back(Tensor("i64", indices));
    c.error = 1;
    check(c);
  }
}

TEST(Movement, GatherReportsIndicesOutOfRange) {
  Random random;
  for (int64_t bad : {7, -8, 1000000, -1000000}) {
    Tensor x = random.floats({7, 5}), indices("i64", {3}, {0, Real(bad), 6});
    LoopCase gather{
        "eff.gather %a0[%a1] axis 0", {x, indices}, {Tensor("f32", {3, 5})}};
    gather.error = 1;
    check(gather);
    Tensor grid("i64", {3, 5}, 2);
    grid.set({1, 3}, bad);
    LoopCase elements{"eff.gather_elements %a0[%a1] axis 0",
                      {x, grid},
                      {Tensor("f32", {3, 5})}};
    elements.error = 1;
    check(elements);
    LoopCase nd{"eff.gather_nd %a0[%a1]",
                {x, Tensor("i64", {2, 1}, Real(bad))},
                {Tensor("f32", {2, 5})}};
    nd.error = 1;
    check(nd);
  }
}

TEST(Movement, GatherUnderAPadReadsOnlyItsIndices) {
  // The rows behind the gathered ones have no index.
  Random random;
  Tensor x = random.floats({9, 4}), indices("i64", {3}, {8, -9, 4});
  Tensor y = tabulate("f32", {6, 7}, [&](const Shape &at) -> Real {
    if (at[0] >= 3 || at[1] < 1 || at[1] >= 5)
      return 0;
    return x.at({std::vector<int64_t>{8, 0, 4}[at[0]], at[1] - 1});
  });
  check({"%0 = eff.gather %a0[%a1] axis 0 : ($0, $1) -> tensor<3x4xf32>\n"
         "  %r = eff.pad constant %0 <0, 1> : (tensor<3x4xf32>) -> $r",
         {x, indices},
         {y}});
  Tensor z = tabulate("f32", {6, 4}, [&](const Shape &at) -> Real {
    return at[0] < 2 || at[0] >= 5
               ? 0
               : x.at({std::vector<int64_t>{8, 0, 4}[at[0] - 2], at[1]});
  });
  check({"%0 = eff.gather %a0[%a1] axis 0 : ($0, $1) -> tensor<3x4xf32>\n"
         "  %r = eff.pad constant %0 <2, 0> : (tensor<3x4xf32>) -> $r",
         {x, indices},
         {z}});
  Tensor both = tabulate("f32", {6, 4}, [&](const Shape &at) -> Real {
    return x.at({std::vector<int64_t>{8, 0, 4}[at[0] % 3], at[1]}) *
           (at[0] < 3 ? 1 : -1);
  });
  check({"%0 = eff.gather %a0[%a1] axis 0 : ($0, $1) -> tensor<3x4xf32>\n"
         "  %1 = eff.gather %a0[%a1] axis 0 : ($0, $1) -> tensor<3x4xf32>\n"
         "  %2 = eff.unary neg %1 : (tensor<3x4xf32>) -> tensor<3x4xf32>\n"
         "  %r = eff.concat %0, %2 axis 0 : (tensor<3x4xf32>, tensor<3x4xf32>) "
         "-> $r",
         {x, indices},
         {both}});
}

TEST(Movement, GatherElementsAndND) {
  Random random;
  Tensor x = random.floats({4, 7, 5});
  for (int64_t axis : {0, 1, 2}) {
    int64_t n = x.shape[axis];
    Tensor indices = random.integers({3, 6, 5}, -n, n - 1);
    check({"eff.gather_elements %a0[%a1] axis " + std::to_string(axis),
           {x, indices},
           {tabulate("f32", {3, 6, 5},
                     [&](const Shape &at) {
                       Shape source = at;
                       int64_t index = indices.at(at);
                       source[axis] = index < 0 ? index + n : index;
                       return x.at(source);
                     })},
           {},
           {{5, "s0"}, {7, "s1"}}});
  }
  Tensor pairs = random.integers({6, 2}, -4, 3);
  auto wrapped = [](Real index, int64_t n) {
    return static_cast<int64_t>(index) + (index < 0 ? n : 0);
  };
  check({"eff.gather_nd %a0[%a1]",
         {x, pairs},
         {tabulate("f32", {6, 5}, [&](const Shape &at) {
           return x.at({wrapped(pairs.at({at[0], 0}), 4),
                        wrapped(pairs.at({at[0], 1}), 7), at[1]});
         })}});
  Tensor batched = random.integers({4, 2, 1}, -7, 6);
  check({"eff.gather_nd %a0[%a1] {batch_dims = 1 : i64}",
         {x, batched},
         {tabulate("f32", {4, 2, 5},
                   [&](const Shape &at) {
                     return x.at({at[0],
                                  wrapped(batched.at({at[0], at[1], 0}), 7),
                                  at[2]});
                   })},
         {},
         {{5, "s0"}}});
}

// ---- Scatter ----

Real combine(const std::string &kind, Real old, Real update) {
  if (kind == "add")
    return old + update;
  if (kind == "mul")
    return old * update;
  if (kind == "max")
    return std::max(old, update);
  return kind == "min" ? std::min(old, update) : update;
}

TEST(Movement, Scatter) {
  Random random;
  for (std::string kind : {"none", "add", "mul", "max", "min"})
    for (std::string element : {"f32", "i64", "i32", "ui8", "f16"}) {
      SCOPED_TRACE(kind + " " + element);
      Tensor x = random.integers({5, 7}, 0, 9, element);
      Tensor updates = random.integers({4, 3}, 0, 5, element);
      for (int64_t axis : {0, 1}) {
        int64_t n = x.shape[axis];
        Tensor indices = random.integers({4, 3}, -n, n - 1);
        Tensor y = x;
        forEach({4, 3}, [&](const Shape &at) {
          Shape where = at;
          int64_t index = indices.at(at);
          where[axis] = index < 0 ? index + n : index;
          y.set(where,
                roundTo(element, combine(kind, y.at(where), updates.at(at))));
        });
        check({"eff.scatter_elements " + kind + " %a0[%a1], %a2 axis " +
                   std::to_string(axis),
               {x, indices, updates},
               {y},
               {},
               {{7, "s0"}}});
      }
      Tensor rows = random.integers({4, 1}, -5, 4);
      Tensor wide = random.integers({4, 7}, 0, 5, element);
      Tensor y = x;
      forEach({4, 7}, [&](const Shape &at) {
        int64_t row = rows.at({at[0], 0});
        Shape where = {row < 0 ? row + 5 : row, at[1]};
        y.set(where, roundTo(element, combine(kind, y.at(where), wide.at(at))));
      });
      check({"eff.scatter_nd " + kind + " %a0[%a1], %a2",
             {x, rows, wide},
             {y},
             {},
             {{7, "s0"}}});
    }
}

TEST(Movement, ScatterReportsIndicesOutOfRange) {
  Tensor x("f32", {5, 7}, 1), updates("f32", {2, 7}, 2);
  for (int64_t bad : {5, -6, 1 << 30}) {
    LoopCase nd{"eff.scatter_nd none %a0[%a1], %a2",
                {x, Tensor("i64", {2, 1}, {1, Real(bad)}), updates},
                {x}};
    nd.error = 1;
    check(nd);
    Tensor grid("i64", {2, 7}, 1);
    grid.set({1, 6}, bad);
    LoopCase elements{"eff.scatter_elements add %a0[%a1], %a2 axis 0",
                      {x, grid, updates},
                      {x}};
    elements.error = 1;
    check(elements);
  }
}

} // namespace
