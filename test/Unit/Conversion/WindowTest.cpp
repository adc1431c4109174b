// Pooling and resizing.
#include "LoopCase.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

using namespace effc;

namespace {

std::string array(const char *name, const std::vector<int64_t> &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? ": " : ", ") + std::to_string(value);
  return std::string(name) + " = array<i64" + text + ">";
}

// ---- Pooling ----

struct Pool {
  Shape x;
  std::vector<int64_t> kernel, strides, dilations, pads;
  bool ceil = false;

  size_t rank() const { return kernel.size(); }
  Shape result() const {
    Shape y = {x[0], x[1]};
    for (size_t i = 0; i < rank(); ++i) {
      int64_t room = x[2 + i] + pads[i] + pads[rank() + i] -
                     dilations[i] * (kernel[i] - 1) - 1;
      int64_t steps = (ceil ? room + strides[i] - 1 : room) / strides[i];
      y.push_back(steps + 1);
    }
    return y;
  }
  std::string attributes() const {
    return array("kernel", kernel) + ", " + array("strides", strides) + ", " +
           array("dilations", dilations) + ", " + array("pads", pads);
  }
  /// Calls fn(operand index, inside the tensor, inside tensor or pads) for
  /// every tap.
  template <typename Fn> void window(const Shape &at, Fn fn) const {
    forEach(kernel, [&](const Shape &tap) {
      Shape source = {at[0], at[1]};
      bool inside = true, counted = true;
      for (size_t i = 0; i < rank(); ++i) {
        int64_t p = at[2 + i] * strides[i] - pads[i] + tap[i] * dilations[i];
        inside &= p >= 0 && p < x[2 + i];
        counted &= p < x[2 + i] + pads[rank() + i];
        source.push_back(p);
      }
      fn(source, inside, counted);
    });
  }
};

const std::vector<Pool> pools = {
    {{2, 5, 9}, {3}, {2}, {1}, {0, 0}},
    {{2, 5, 9, 8}, {3, 2}, {2, 1}, {1, 1}, {1, 0, 1, 1}},
    {{1, 20, 7, 7}, {3, 3}, {1, 1}, {2, 1}, {1, 1, 2, 0}},
    {{1, 3, 10, 9}, {3, 3}, {2, 3}, {1, 1}, {0, 0, 0, 0}, true},
    {{1, 3, 10, 9}, {3, 3}, {2, 2}, {1, 2}, {1, 1, 1, 1}, true},
    {{1, 2, 4, 5, 6}, {2, 3, 2}, {1, 2, 2}, {1, 1, 2}, {0, 1, 0, 1, 1, 1}},
    {{1, 1, 1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}},
    {{0, 3, 4, 4}, {2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}},
    {{2, 4, 7, 7}, {7, 7}, {1, 1}, {1, 1}, {0, 0, 0, 0}}};

void checkPool(const Pool &pool, const std::string &kind,
               const std::string &element, bool countPads) {
  SCOPED_TRACE(kind + " " + element + " " + pool.attributes());
  Random random;
  Tensor x = isFloatElement(element) ? random.floats(pool.x, -3, -1, element)
                                     : random.integers(pool.x, 0, 100, element);
  Tensor y = tabulate(element, pool.result(), [&](const Shape &at) {
    Real best = lowestOf(element), sum = 0, number = 0;
    pool.window(at, [&](const Shape &source, bool inside, bool counted) {
      number += countPads ? counted : inside;
      if (!inside)
        return;
      best = std::max(best, x.at(source));
      sum += x.at(source);
    });
    return kind == "max" ? best : sum / std::max<Real>(number, 1);
  });
  std::string text = "eff.pool " + kind + " %a0 {" + pool.attributes() +
                     (countPads ? ", count_include_pad = true" : "");
  double tolerance = element == "f16" ? 2e-3 : 1e-5;
  check({text + "}", {x}, {y}, {}, {{20, "s0"}}, tolerance, tolerance});
  check({text + ", channels_last = true}",
         {toChannelsLast(x)},
         {toChannelsLast(y)},
         {},
         {{20, "s0"}},
         tolerance,
         tolerance});
}

TEST(Pool, Max) {
  for (const Pool &pool : pools)
    for (std::string element : {"f32", "f16", "ui8"})
      checkPool(pool, "max", element, false);
}

TEST(Pool, Average) {
  for (const Pool &pool : pools)
    for (bool countPads : {false, true})
      for (std::string element : {"f32", "f16"})
        checkPool(pool, "average", element, countPads);
}

TEST(Pool, MaxOfNaNIsNaN) {
  Tensor x("f32", {1, 1, 4}, {1, NaN, 3, 4});
  Tensor y("f32", {1, 1, 3}, {NaN, NaN, 4});
  std::string attributes = "kernel = array<i64: 2>, strides = array<i64: 1>, "
                           "dilations = array<i64: 1>, pads = array<i64: 0, 0>";
  check({"eff.pool max %a0 {" + attributes + "}", {x}, {y}});
}

TEST(Pool, Indices) {
  for (const Pool &pool : pools)
    for (std::string element : {"f32", "i8"})
      for (bool columnMajor : {false, true}) {
        SCOPED_TRACE(pool.attributes());
        Random random;
        Tensor x = random.integers(pool.x, 0, 5, element); // with ties
        Shape spatial(pool.x.begin() + 2, pool.x.end());
        Tensor y = tabulate("i64", pool.result(), [&](const Shape &at) {
          Real best = -1;
          Shape where;
          pool.window(at, [&](const Shape &source, bool inside, bool) {
            if (inside && x.at(source) > best) {
              best = x.at(source);
              where = source;
            }
          });
          Real position = at[0] * pool.x[1] + at[1];
          for (size_t i = 0; i < spatial.size(); ++i) {
            size_t d = columnMajor ? spatial.size() - 1 - i : i;
            position = position * spatial[d] + where[2 + d];
          }
          return position;
        });
        check({"eff.pool_indices %a0 {" + pool.attributes() +
                   (columnMajor ? ", column_major = true}" : "}"),
               {x},
               {y}});
      }
}

TEST(Pool, FusesWhatFollows) {
  Random random;
  Pool pool{{1, 20, 6, 6}, {2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}};
  Tensor x = random.floats(pool.x);
  Tensor y = tabulate("f32", pool.result(), [&](const Shape &at) {
    Real sum = 0;
    pool.window(at, [&](const Shape &s, bool, bool) { sum += x.at(s); });
    return std::tanh(sum / 4);
  });
  check({"%0 = eff.pool average %a0 {" + pool.attributes() +
             ", channels_last = true} : ($0) -> $r\n"
             "  %r = eff.unary tanh %0 : ($r) -> $r",
         {toChannelsLast(x)},
         {toChannelsLast(y)},
         {},
         {{20, "s0"}},
         1e-5,
         1e-6,
         0,
         1});
}

// ---- Resize ----

struct Resize {
  std::string mode = "nearest", coordinates = "half_pixel",
              rounding = "round_prefer_floor";
  bool excludeOutside = false, antialias = false;
  double a = -0.75, extrapolation = 0;
  std::vector<double> roi = {};
};

/// One axis: (operand index, weight) of each tap. Coordinates are made in f32.
struct Axis {
  const Resize &r;
  int64_t in, out;
  float scale, start = 0, end = 1;

  float coordinate(int64_t position) const {
    float x = position, half = (x + 0.5f) / scale - 0.5f;
    const std::string &mode = r.coordinates;
    if (mode == "half_pixel")
      return half;
    if (mode == "half_pixel_symmetric") {
      float adjustment = out / (scale * in);
      return in / 2.0f * (1 - adjustment) + half;
    }
    if (mode == "pytorch_half_pixel")
      return out > 1 ? half : 0;
    if (mode == "align_corners")
      return out > 1 ? x * ((in - 1.0f) / (out - 1.0f)) : 0;
    if (mode == "asymmetric")
      return x / scale;
    if (mode == "tf_half_pixel_for_nn")
      return (x + 0.5f) / scale;
    return out > 1 ? start * (in - 1) +
                         x * ((end - start) * (in - 1) / (out - 1.0f))
                   : 0.5f * (start + end) * (in - 1);
  }
  bool isOutside(int64_t position) const {
    float x = coordinate(position);
    return r.coordinates == "tf_crop_and_resize" && (x < 0 || x > in - 1);
  }
  int64_t clamp(int64_t index) const {
    return std::clamp<int64_t>(index, 0, in - 1);
  }
  double filter(double distance) const {
    double d = std::fabs(distance);
    if (r.mode == "linear")
      return std::max(0.0, 1 - d);
    if (d <= 1)
      return ((r.a + 2) * d - (r.a + 3)) * d * d + 1;
    return d < 2 ? ((r.a * d - 5 * r.a) * d + 8 * r.a) * d - 4 * r.a : 0;
  }
  std::vector<std::pair<int64_t, double>> taps(int64_t position) const {
    double x = coordinate(position);
    if (r.mode == "nearest") {
      double index = r.rounding == "floor"               ? std::floor(x)
                     : r.rounding == "ceil"              ? std::ceil(x)
                     : r.rounding == "round_prefer_ceil" ? std::floor(x + 0.5)
                                                         : std::ceil(x - 0.5);
      return {{clamp(index), 1}};
    }
    double shrink = r.antialias ? std::min<double>(scale, 1) : 1;
    double reach = (r.mode == "cubic" ? 2 : 1) / shrink;
    std::vector<std::pair<int64_t, double>> result;
    double total = 0;
    for (int64_t i = std::floor(x - reach); i <= std::ceil(x + reach); ++i) {
      double weight = filter((i - x) * shrink);
      if (r.excludeOutside && (i < 0 || i >= in))
        weight = 0;
      total += weight;
      result.emplace_back(clamp(i), weight);
    }
    if (r.excludeOutside || r.antialias)
      for (auto &tap : result)
        tap.second /= total;
    return result;
  }
};

/// All digits: coordinates near a tie depend on the last one.
std::string exact(double value) {
  char text[40];
  std::snprintf(text, sizeof(text), "%.17e", value);
  return text;
}

void checkResize(const Resize &r, const Tensor &x, int64_t height,
                 int64_t width, bool knownScale = true) {
  Axis rows{r, x.shape[1], height, float(height) / x.shape[1]};
  Axis columns{r, x.shape[2], width, float(width) / x.shape[2]};
  std::string roi;
  if (!r.roi.empty()) {
    rows.start = r.roi[0];
    columns.start = r.roi[1];
    rows.end = r.roi[2];
    columns.end = r.roi[3];
    roi = ", roi = array<f64: " + std::to_string(r.roi[0]) + ", " +
          std::to_string(r.roi[1]) + ", " + std::to_string(r.roi[2]) + ", " +
          std::to_string(r.roi[3]) + ">";
  }
  Tensor y = tabulate(
      x.element, {x.shape[0], height, width}, [&](const Shape &at) -> Real {
        if (rows.isOutside(at[1]) || columns.isOutside(at[2]))
          return r.extrapolation;
        Real sum = 0;
        for (auto [i, wi] : rows.taps(at[1]))
          for (auto [j, wj] : columns.taps(at[2]))
            sum += x.at({at[0], i, j}) * wi * wj;
        return isFloatElement(x.element) ? sum : std::nearbyint(sum);
      });
  std::string scales = "0x7FF8000000000000, 0x7FF8000000000000";
  if (knownScale)
    scales = exact(double(height) / x.shape[1]) + ", " +
             exact(double(width) / x.shape[2]);
  std::string text =
      "eff.resize " + r.mode +
      " %a0 {axes = array<i64: 1, 2>, scales = array<f64: " + scales +
      ">, coordinate_mode = #eff<coordinate_mode " + r.coordinates +
      ">, nearest_mode = #eff<nearest_mode " + r.rounding +
      ">, cubic_coeff_a = " + std::to_string(r.a) +
      " : f64, exclude_outside = " + (r.excludeOutside ? "true" : "false") +
      ", antialias = " + (r.antialias ? "true" : "false") +
      ", extrapolation_value = " + std::to_string(r.extrapolation) + " : f64" +
      roi + "}";
  SCOPED_TRACE(text);
  double tolerance = x.element == "f16" ? 2e-3 : 1e-4;
  std::map<int64_t, std::string> dims;
  if (!knownScale)
    dims[3] = "s0";
  check({text, {x}, {y}, {}, dims, tolerance, tolerance});
}

const std::vector<std::string> coordinateModes = {
    "half_pixel",    "half_pixel_symmetric", "pytorch_half_pixel",
    "align_corners", "asymmetric",           "tf_half_pixel_for_nn"};

TEST(Resize, Nearest) {
  Random random;
  Tensor x = random.floats({3, 8, 6});
  for (const std::string &coordinates : coordinateModes)
    for (std::string rounding :
         {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
      Resize r{"nearest", coordinates, rounding};
      checkResize(r, x, 16, 3);
      checkResize(r, x, 4, 24);
      checkResize(r, x, 1, 1);
      checkResize(r, x, 5, 7, false);
    }
  checkResize({"nearest", "asymmetric", "floor"},
              random.integers({3, 8, 6}, 0, 200, "ui8"), 16, 12);
}

TEST(Resize, LinearAndCubic) {
  Random random;
  Tensor x = random.floats({3, 8, 6});
  for (std::string mode : {"linear", "cubic"})
    for (const std::string &coordinates : coordinateModes)
      for (int flags = 0; flags < 4; ++flags) {
        Resize r{mode, coordinates};
        r.excludeOutside = flags & 1;
        r.antialias = flags & 2;
        r.a = -0.5;
        checkResize(r, x, 16, 12);
        checkResize(r, x, 4, 3);
        checkResize(r, x, 5, 11, false);
        checkResize(r, x, 1, 1);
      }
  checkResize({"linear"}, random.floats({3, 8, 6}, -2, 2, "f16"), 16, 12);
  checkResize({"linear"}, random.floats({3, 8, 6}, -2, 2, "f64"), 16, 12);
  checkResize({"linear"}, random.floats({3, 1, 1}), 4, 4);
}

TEST(Resize, Crop) {
  Random random;
  Tensor x = random.floats({3, 8, 6});
  for (std::string mode : {"nearest", "linear", "cubic"}) {
    Resize r{mode, "tf_crop_and_resize"};
    r.extrapolation = 7.5;
    r.roi = {0.25, -0.25, 0.75, 1.3};
    checkResize(r, x, 5, 7);
    checkResize(r, x, 1, 1);
  }
}

} // namespace
