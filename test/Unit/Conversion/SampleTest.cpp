// Sampling at places that data decide, regions, deformable convolution, Fourier
// transforms and determinants against their definitions.
#include "LoopCase.h"
#include <algorithm>
#include <cmath>
#include <complex>

using namespace effc;

namespace {

// ---- Sampling ----

struct Sampling {
  std::string mode, padding;
  bool align;
};

Real reflect(Real x, Real low, Real high) {
  while (high > low && (x < low || x > high))
    x = x < low ? 2 * low - x : 2 * high - x;
  return high > low ? x : low;
}

/// The pixel that counts for a tap, or -1.
int64_t pixelOf(const Sampling &s, int64_t tap, int64_t extent) {
  if (s.padding == "zeros")
    return tap >= 0 && tap < extent ? tap : -1;
  if (s.padding == "border")
    return std::clamp<int64_t>(tap, 0, extent - 1);
  return std::llround(s.align ? reflect(tap, 0, extent - 1)
                              : reflect(tap, -0.5L, extent - 0.5L));
}

Real cubic(Real distance) {
  const Real a = -0.75L, d = std::abs(distance);
  if (d <= 1)
    return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/// (pixel, weight) along one axis.
std::vector<std::pair<int64_t, Real>> tapsOf(const Sampling &s, Real place,
                                             int64_t extent) {
  Real edge = s.align ? 0 : 0.5L, low = -edge, high = extent - 1 + edge;
  Real x = s.mode == "nearest" ? std::nearbyint(place) : place;
  if (x < low || x > high) {
    if (s.padding == "border" && s.mode != "cubic")
      x = std::clamp<Real>(x, 0, extent - 1);
    if (s.padding == "reflection")
      x = reflect(x, low, high);
  }
  int64_t base = std::floor(x);
  std::vector<std::pair<int64_t, Real>> taps;
  if (s.mode == "nearest")
    return {{pixelOf(s, base, extent), 1}};
  int64_t reach = s.mode == "cubic" ? 2 : 1;
  for (int64_t i = base + 1 - reach; i <= base + reach; ++i)
    taps.push_back({pixelOf(s, i, extent),
                    reach == 2 ? cubic(x - i) : 1 - std::abs(x - i)});
  return taps;
}

Tensor sampleReference(const Sampling &s, const Tensor &x,
                       const Tensor &places) {
  size_t spatial = x.shape.size() - 2;
  Shape shape = {places.shape[0], x.shape[1]};
  shape.insert(shape.end(), places.shape.begin() + 1, places.shape.end() - 1);
  return tabulate(x.element, shape, [&](const Shape &at) {
    std::vector<std::vector<std::pair<int64_t, Real>>> taps;
    Shape number(at);
    number.erase(number.begin() + 1);
    number.push_back(0);
    Shape counts;
    for (size_t i = 0; i < spatial; ++i) {
      number.back() = i;
      taps.push_back(tapsOf(s, places.at(number), x.shape[i + 2]));
      counts.push_back(taps.back().size());
    }
    Real sum = 0;
    forEach(counts, [&](const Shape &tap) {
      Shape source = {at[0], at[1]};
      Real weight = 1;
      bool inside = true;
      for (size_t i = 0; i < spatial; ++i) {
        auto [pixel, share] = taps[i][tap[i]];
        source.push_back(pixel);
        weight *= share;
        inside &= pixel >= 0;
      }
      if (inside)
        sum += weight * x.at(source);
    });
    return sum;
  });
}

TEST(Sample, EveryModeAndPadding) {
  Random random;
  for (const char *mode : {"nearest", "linear", "cubic"})
    for (const char *padding : {"zeros", "border", "reflection"})
      for (bool align : {false, true})
        for (const auto &[image, out] : std::vector<std::pair<Shape, Shape>>{
                 {{2, 3, 5}, {2, 70}},
                 {{2, 3, 4, 6}, {2, 5, 7}},
                 {{1, 2, 1, 2}, {1, 3, 5}},
                 {{1, 2, 3, 4, 5}, {1, 2, 3, 4}}}) {
          Shape places = out;
          places.push_back(image.size() - 2);
          Tensor x = random.floats(image), p = random.floats(places, -6, 9);
          Sampling s{mode, padding, align};
          check({std::string("eff.sample ") + mode +
                     " %a0 at %a1 {padding = #eff<sample_padding " + padding +
                     ">, align_corners = " + (align ? "true}" : "false}"),
                 {x, p},
                 {sampleReference(s, x, p)},
                 {},
                 {{5, "s0"}, {70, "s1"}, {7, "s2"}},
                 2e-4,
                 2e-4});
        }
}

/// NaN and infinite places read nothing outside; infinite pixels outside of
/// the taps do not spread.
TEST(Sample, StrangeNumbers) {
  Tensor x("f32", {1, 1, 3}, {1, 2, inf});
  Tensor p("f32", {1, 5, 1}, {-1e30L, inf, -inf, NaN, 0.5L});
  for (const char *mode : {"nearest", "linear", "cubic"}) {
    bool wide = mode == std::string("cubic");
    Tensor y("f32", {1, 1, 5},
             {0, 0, 0, 0,
              wide             ? -inf
              : mode[0] == 'n' ? 1
                               : 1.5L});
    check({std::string("eff.sample ") + mode +
               " %a0 at %a1 {padding = #eff<sample_padding zeros>}",
           {x, p},
           {y}});
  }
}

TEST(Sample, ImagesByNumber) {
  Random random;
  Tensor x = random.floats({3, 2, 4, 4}), p = random.floats({5, 6, 2}, 0, 3);
  Tensor images("i64", {5}, {2, 0, 2, 1, 0});
  Tensor picked("f32", {5, 2, 4, 4});
  forEach(picked.shape, [&](const Shape &at) {
    picked.set(at, x.at({static_cast<int64_t>(images.at({at[0]})), at[1], at[2],
                         at[3]}));
  });
  std::string text = "eff.sample linear %a0 at %a1 of %a2 {padding = "
                     "#eff<sample_padding border>}";
  check({text,
         {x, p, images},
         {sampleReference({"linear", "border", false}, picked, p)},
         {},
         {{5, "s0"}},
         1e-4,
         1e-5});
  LoopCase outside{text, {x, p, Tensor("i64", {5}, {0, 3, 0, 0, 0})}, {}};
  outside.expected = {Tensor("f32", {5, 2, 6})};
  outside.error = 1;
  check(outside);
}

// ---- Regions ----

struct Align {
  bool mean, half;
  int64_t ratio;
};

Tensor alignReference(const Align &a, const Tensor &x, const Tensor &rois,
                      const Tensor &images, int64_t cells, Real scale) {
  Real offset = a.half ? 0.5L : 0;
  int64_t extents[] = {x.shape[2], x.shape[3]};
  return tabulate(
      x.element, {rois.shape[0], x.shape[1], cells, cells},
      [&](const Shape &at) {
        Real start[2], cell[2];
        int64_t samples[2];
        for (int64_t i = 0; i < 2; ++i) {
          start[i] = rois.at({at[0], 1 - i}) * scale - offset;
          Real size = rois.at({at[0], 3 - i}) * scale - offset - start[i];
          size = a.half ? size : std::max<Real>(size, 1);
          cell[i] = size / cells;
          samples[i] = a.ratio ? a.ratio : std::ceil(cell[i]);
        }
        Real total = a.mean ? 0 : -inf;
        forEach({samples[0], samples[1]}, [&](const Shape &s) {
          Real value = a.mean ? 0 : -inf, place[2];
          bool outside = false;
          for (int64_t i = 0; i < 2; ++i) {
            place[i] = start[i] + at[i + 2] * cell[i] +
                       (s[i] + 0.5L) * cell[i] / samples[i];
            outside |= place[i] < -1 || place[i] > extents[i];
            place[i] = std::clamp<Real>(place[i], 0, extents[i] - 1);
          }
          forEach({2, 2}, [&](const Shape &tap) {
            Real weight = 1;
            Shape source = {static_cast<int64_t>(images.at({at[0]})), at[1]};
            for (int64_t i = 0; i < 2; ++i) {
              Real share = place[i] - std::floor(place[i]);
              weight *= tap[i] ? share : 1 - share;
              source.push_back(std::min<int64_t>(
                  static_cast<int64_t>(place[i]) + tap[i], extents[i] - 1));
            }
            Real term = weight * x.at(source);
            value = a.mean ? value + term : std::max(value, term);
          });
          value = outside ? 0 : value;
          total = a.mean ? total + value : std::max(total, value);
        });
        int64_t count = samples[0] * samples[1];
        return a.mean ? total / std::max<int64_t>(count, 1)
                      : (count ? total : 0);
      });
}

TEST(Roi, Align) {
  Random random;
  Tensor x = random.floats({2, 3, 7, 9});
  Tensor rois("f32", {5, 4}, {1, 2, 9.5L, 11, -3,   -4, 20, 30, 5, 5,
                              5, 5, 8,    3,  2.5L, 1,  2,  2,  6, 6});
  Tensor images("i64", {5}, {1, 0, 1, 0, 1});
  for (bool mean : {true, false})
    for (bool half : {true, false})
      for (int64_t ratio : {0, 2})
        check({std::string("eff.roi_align ") + (mean ? "mean" : "max") +
                   " %a0 at %a1 of %a2 {sampling_ratio = " +
                   std::to_string(ratio) +
                   " : i64, spatial_scale = 0.5 : f64, half_pixel = " +
                   (half ? "true}" : "false}"),
               {x, rois, images},
               {alignReference({mean, half, ratio}, x, rois, images, 3, 0.5L)},
               {},
               {{5, "s0"}, {7, "s1"}},
               1e-4,
               1e-5});
}

TEST(Roi, Pool) {
  Random random;
  Tensor x = random.floats({2, 2, 6, 8});
  Tensor rois("f32", {3, 5}, {1, 0, 0, 7, 5, 0, 2, 1, 3, 2, 0, 9, 9, 12, 12});
  Tensor y = tabulate("f32", {3, 2, 2, 2}, [&](const Shape &at) -> Real {
    int64_t low[2], high[2];
    for (int64_t i = 0; i < 2; ++i) {
      Real start = std::round(rois.at({at[0], 2 - i}));
      Real size =
          std::max<Real>(std::round(rois.at({at[0], 4 - i})) - start + 1, 1);
      auto inside = [&](Real v) {
        return std::clamp<int64_t>(v + start, 0, x.shape[i + 2]);
      };
      low[i] = inside(std::floor(at[i + 2] * size / 2));
      high[i] = inside(std::ceil((at[i + 2] + 1) * size / 2));
    }
    Real best = -inf;
    for (int64_t i = low[0]; i < high[0]; ++i)
      for (int64_t j = low[1]; j < high[1]; ++j)
        best = std::max(best, x.at({static_cast<int64_t>(rois.at({at[0], 0})),
                                    at[1], i, j}));
    return best == -inf ? 0 : best;
  });
  check({"eff.roi_pool %a0 at %a1 {spatial_scale = 1.0 : f64}",
         {x, rois},
         {y},
         {},
         {{3, "s0"}, {6, "s1"}}});
}

// ---- Deformable convolution, columns to image ----

TEST(DeformConv, GroupsMaskAndStrides) {
  Random random;
  // 6x7 with pads 1 and stride 2, 1: 3x7 places.
  Tensor x = random.floats({2, 4, 6, 7}), w = random.floats({6, 2, 3, 3});
  Tensor offset = random.floats({2, 2 * 9 * 2, 3, 7}, -3, 3);
  Tensor mask = random.floats({2, 2 * 9, 3, 7}, 0, 1);
  for (bool masked : {false, true}) {
    Tensor y = tabulate("f32", {2, 6, 3, 7}, [&](const Shape &at) {
      Real sum = 0;
      forEach({2, 3, 3}, [&](const Shape &tap) {
        int64_t channel = at[1] / 3 * 2 + tap[0], group = channel / 2;
        int64_t number = group * 9 + tap[1] * 3 + tap[2];
        Real place[2] = {at[2] * 2 - 1 + tap[1] +
                             offset.at({at[0], number * 2, at[2], at[3]}),
                         at[3] - 1 + tap[2] +
                             offset.at({at[0], number * 2 + 1, at[2], at[3]})};
        Real scale = masked ? mask.at({at[0], number, at[2], at[3]}) : 1;
        forEach({2, 2}, [&](const Shape &corner) {
          Real weight = scale * w.at({at[1], tap[0], tap[1], tap[2]});
          Shape source = {at[0], channel};
          for (int64_t i = 0; i < 2; ++i) {
            Real base = std::floor(place[i]), share = place[i] - base;
            weight *= corner[i] ? share : 1 - share;
            source.push_back(static_cast<int64_t>(base) + corner[i]);
          }
          if (source[2] >= 0 && source[2] < 6 && source[3] >= 0 &&
              source[3] < 7)
            sum += weight * x.at(source);
        });
      });
      return sum;
    });
    std::string attributes = "{strides = array<i64: 2, 1>, dilations = "
                             "array<i64: 1, 1>, pads = array<i64: 1, 1>, "
                             "groups = 2 : i64, offset_groups = 2 : i64}";
    std::vector<Tensor> inputs = {x, w, offset};
    if (masked)
      inputs.push_back(mask);
    check({std::string("eff.deform_conv %a0, %a1 at %a2 ") +
               (masked ? "mask %a3 " : "") + attributes,
           inputs,
           {y},
           {},
           {},
           1e-4,
           1e-4});
  }
}

TEST(Col2Im, OverlapsAdd) {
  Random random;
  // 5x6 with kernel 3x2, strides 2 and 1, dilation 1 and 2, pads 1 and 0.
  Tensor x = random.floats({2, 3, 3, 2, 3, 4});
  Tensor y("f32", {2, 3, 5, 6});
  forEach(x.shape, [&](const Shape &at) {
    int64_t row = at[4] * 2 - 1 + at[2], column = at[5] + at[3] * 2;
    if (row >= 0 && row < 5 && column < 6) {
      Shape to = {at[0], at[1], row, column};
      y.set(to, y.at(to) + x.at(at));
    }
  });
  check({"eff.col2im %a0 {strides = array<i64: 2, 1>, dilations = "
         "array<i64: 1, 2>, pads = array<i64: 1, 0>}",
         {x},
         {y},
         {},
         {{2, "s0"}}});
}

// ---- Signals ----

Tensor twiddles(int64_t n) {
  return tabulate("f64", {n, 2}, [&](const Shape &at) {
    Real angle = 2 * acosl(-1.0L) * at[0] / n;
    return at[1] ? -std::sin(angle) : std::cos(angle);
  });
}

/// The transform along axis 1 of [a, length, b, parts].
Tensor dftReference(const Tensor &x, int64_t n, bool inverse, bool onesided) {
  int64_t given = x.shape[1], half = n / 2 + 1;
  bool isReal = x.shape[3] == 1;
  auto element = [&](int64_t a, int64_t i, int64_t b) -> std::complex<Real> {
    bool mirrored = inverse && onesided && i >= half;
    int64_t source = mirrored ? n - i : i;
    if (source >= given)
      return 0;
    std::complex<Real> value(x.at({a, source, b, 0}),
                             isReal ? 0 : x.at({a, source, b, 1}));
    return mirrored ? std::conj(value) : value;
  };
  Shape shape = x.shape;
  shape[1] = onesided && !inverse ? half : n;
  shape[3] = onesided && inverse ? 1 : 2;
  return tabulate(x.element, shape, [&](const Shape &at) {
    std::complex<Real> sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      Real angle = 2 * acosl(-1.0L) * (i * at[1] % n) / n;
      sum += element(at[0], i, at[2]) *
             std::polar<Real>(1, inverse ? angle : -angle);
    }
    sum /= inverse ? n : 1;
    return at[3] ? sum.imag() : sum.real();
  });
}

TEST(Dft, EveryKindOfLength) {
  Random random;
  for (int64_t n : {1, 2, 3, 4, 5, 7, 8, 11, 12, 13, 16, 30, 49, 60, 77, 128})
    for (bool inverse : {false, true})
      for (bool onesided : {false, true})
        for (int64_t given : {n, n + 3, std::max<int64_t>(n - 2, 1)}) {
          int64_t parts = onesided && !inverse ? 1 : 2;
          Tensor x = random.floats({2, given, 3, parts});
          check({std::string("eff.dft %a0 by %a1 axis 1 {inverse = ") +
                     (inverse ? "true" : "false") +
                     ", onesided = " + (onesided ? "true}" : "false}"),
                 {x, twiddles(n)},
                 {dftReference(x, n, inverse, onesided)},
                 {1},
                 {},
                 1e-6,
                 1e-6});
        }
}

TEST(Dft, SymbolicLength) {
  Random random;
  Tensor x = random.floats({2, 12, 3, 1});
  check({"eff.dft %a0 by %a1 axis 1 {onesided = true}",
         {x, twiddles(12)},
         {dftReference(x, 12, false, true)},
         {},
         {{12, "s0"}, {7, "s0 floordiv 2 + 1"}},
         1e-6,
         1e-6});
}

TEST(Dft, FramesOfASignal) {
  Random random;
  Tensor x = random.floats({3, 40, 1}), window = random.floats({16});
  // (40 - 16) / 6 + 1 frames.
  Tensor frames = tabulate("f32", {3 * 5, 16, 1, 1}, [&](const Shape &at) {
    return x.at({at[0] / 5, at[0] % 5 * 6 + at[1], 0}) * window.at({at[1]});
  });
  Tensor y = reshape(dftReference(frames, 16, false, true), {3, 5, 9, 2});
  check({"eff.dft %a0 by %a1 window %a2 axis 1 {onesided = true, hop = 6 : "
         "i64}",
         {x, twiddles(16), window},
         {y},
         {1},
         {{3, "s0"}},
         1e-5,
         1e-5});
}

Real determinant(const Tensor &x, int64_t matrix, std::vector<int64_t> columns,
                 int64_t row) {
  if (columns.empty())
    return 1;
  Real sum = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    std::vector<int64_t> rest(columns);
    rest.erase(rest.begin() + i);
    sum += (i % 2 ? -1 : 1) * x.at({matrix, row, columns[i]}) *
           determinant(x, matrix, rest, row + 1);
  }
  return sum;
}

TEST(Det, AgainstExpansion) {
  Random random;
  for (int64_t n : {0, 1, 2, 3, 5}) {
    Tensor x = random.floats({3, n, n});
    if (n > 1)
      for (int64_t i = 0; i < n; ++i) {
        // A zero pivot, and a singular matrix.
        x.set({1, 0, 0}, 0);
        x.set({2, 1, i}, x.at({2, 0, i}) * 2);
      }
    Tensor y = tabulate("f32", {3}, [&](const Shape &at) {
      std::vector<int64_t> columns;
      for (int64_t i = 0; i < n; ++i)
        columns.push_back(i);
      return determinant(x, at[0], columns, 0);
    });
    check({"eff.det %a0", {x}, {y}, {}, {{3, "s0"}}, 1e-5, 1e-5});
  }
}

} // namespace
