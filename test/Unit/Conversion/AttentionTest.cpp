// Attention in rows and in blocks of rows, and rotary embedding.
#include "LoopCase.h"
#include <cmath>
#include <optional>

using namespace effc;

namespace {

/// An attention with q [B, H, S, D], k [B, G, T, D], v [B, G, T, E].
struct Attention {
  int64_t batch = 1, heads = 1, groups = 1, queries = 1, keys = 1, depth = 1,
          width = 1;
  std::optional<Shape> mask = std::nullopt;
  bool boolMask = false, causal = false, zeroMaskedRows = false;
  double softcap = 0, scale = 0.25;
  std::string element = "f32";
  /// Sizes that become symbols in a second run.
  std::map<int64_t, std::string> dims = {};
  std::vector<std::string> cpus = {"native"};

  Real score(const Tensor &q, const Tensor &k, const Tensor *m, const Shape &at,
             int64_t key) const {
    int64_t group = at[1] / (heads / groups);
    Real dot = 0;
    for (int64_t d = 0; d < depth; ++d)
      dot += q.at({at[0], at[1], at[2], d}) * k.at({at[0], group, key, d});
    dot *= scale;
    if (softcap > 0)
      dot = softcap * std::tanh(dot / softcap);
    if (m) {
      Real value = m->broadcast({at[0], at[1], at[2], key});
      dot = !boolMask ? dot + value : value != 0 ? dot : -inf;
    }
    return causal && key > at[2] + keys - queries ? -inf : dot;
  }

  Tensor evaluate(const Tensor &q, const Tensor &k, const Tensor &v,
                  const Tensor *m) const {
    Tensor y(element, {batch, heads, queries, width});
    forEach({batch, heads, queries}, [&](const Shape &at) {
      std::vector<Real> weights;
      Real max = -inf, total = 0;
      for (int64_t t = 0; t < keys; ++t) {
        weights.push_back(score(q, k, m, at, t));
        max = std::fmax(max, weights.back());
      }
      if (zeroMaskedRows && max == -inf)
        return;
      for (Real &w : weights)
        total += w = std::exp(w - max);
      for (int64_t e = 0; e < width; ++e) {
        Real sum = 0;
        for (int64_t t = 0; t < keys; ++t)
          sum += weights[t] * v.at({at[0], at[1] / (heads / groups), t, e});
        y.set({at[0], at[1], at[2], e}, roundTo(element, sum / total));
      }
    });
    return y;
  }

  std::string text(bool last) const {
    return std::string("eff.attention %a0, %a1, %a2 ") +
           (mask ? "mask %a3 " : "") + "scale " + std::to_string(scale) +
           " {causal = " + (causal ? "true" : "false") +
           ", heads_last = " + (last ? "true" : "false") +
           ", zero_masked_rows = " + (zeroMaskedRows ? "true" : "false") +
           ", softcap = " + std::to_string(softcap) + " : f64}";
  }

  void checkAll() const {
    Random random;
    Tensor q = random.floats({batch, heads, queries, depth}, -1, 1, element);
    Tensor k = random.floats({batch, groups, keys, depth}, -1, 1, element);
    Tensor v = random.floats({batch, groups, keys, width}, -1, 1, element);
    std::vector<Tensor> masks;
    if (mask) {
      masks.push_back(boolMask ? random.integers(*mask, 0, 3, "i64")
                               : random.floats(*mask, -2, 1, element));
      for (Real &value : masks[0].values) {
        if (boolMask)
          value = value != 0;
        else if (value < -1.7L)
          value = -inf;
      }
      masks[0].element = boolMask ? "i1" : element;
    }
    Tensor y = evaluate(q, k, v, masks.empty() ? nullptr : &masks[0]);
    double tolerance = element == "f16"    ? 2e-3
                       : element == "bf16" ? 2e-2
                                           : 2e-5;
    for (bool last : {false, true}) {
      SCOPED_TRACE(text(last));
      auto layout = [&](const Tensor &x) {
        return last ? permute(x, {0, 2, 1, 3}) : x;
      };
      LoopCase c{text(last),  {layout(q), layout(k), layout(v)},
                 {layout(y)}, {},
                 dims,        tolerance,
                 tolerance};
      for (const Tensor &m : masks)
        c.inputs.push_back(m);
      c.cpus = cpus;
      check(c);
    }
  }
};

TEST(Attention, Sizes) {
  for (int64_t queries : {1, 5, 8, 65})
    for (int64_t keys : {1, 7, 130}) {
      Attention a{2, 3, 3, queries, keys, 16, 16};
      a.checkAll();
    }
  Attention{1, 2, 2, 9, 9, 1, 1}.checkAll();
  Attention{1, 2, 2, 9, 11, 13, 5}.checkAll();
  Attention{1, 1, 1, 33, 64, 64, 64}.checkAll();
  Attention{0, 2, 2, 9, 11, 8, 8}.checkAll();
  Attention{1, 2, 2, 0, 11, 8, 8}.checkAll();
}

TEST(Attention, GroupedQueries) {
  for (int64_t queries : {1, 40})
    for (int64_t groups : {1, 2, 6}) {
      Attention a{2, 6, groups, queries, 40, 8, 12};
      a.causal = true;
      a.checkAll();
    }
}

TEST(Attention, Causal) {
  for (auto [queries, keys] : {std::pair<int64_t, int64_t>{1, 9},
                               {9, 9},
                               {40, 40},
                               {40, 50},
                               {3, 70},
                               {33, 97}}) {
    Attention a{1, 2, 2, queries, keys, 8, 8};
    a.causal = true;
    a.checkAll();
  }
  // More queries than keys: the first ones see nothing.
  Attention none{1, 2, 2, 40, 5, 8, 8};
  none.causal = true;
  none.checkAll();
  none.zeroMaskedRows = true;
  none.checkAll();
}

TEST(Attention, Masks) {
  for (int64_t queries : {1, 40})
    for (bool boolMask : {false, true})
      for (const Shape &shape : {Shape{queries, 23},
                                 {1, 1, queries, 23},
                                 {2, 1, 1, 23},
                                 {23},
                                 {2, 4, queries, 23},
                                 {1, 4, 1, 23},
                                 {2, 1, queries, 1},
                                 {1, 1}}) {
        Attention a{2, 4, 2, queries, 23, 8, 8};
        a.mask = shape;
        a.boolMask = boolMask;
        a.zeroMaskedRows = true;
        a.checkAll();
      }
}

TEST(Attention, MaskedOutRows) {
  for (bool zero : {false, true})
    for (int64_t queries : {3, 40}) {
      Tensor x("f32", {1, 1, queries, 4}, 1), m("i1", {queries, queries}, 0);
      for (int64_t i = 0; i < queries; i += 2)
        m.set({i, 0}, 1);
      Tensor y = tabulate("f32", x.shape, [&](const Shape &at) -> Real {
        return at[2] % 2 == 0 ? 1 : zero ? 0 : NaN;
      });
      check({std::string("eff.attention %a0, %a1, %a2 mask %a3 scale 1.0 "
                         "{zero_masked_rows = ") +
                 (zero ? "true}" : "false}"),
             {x, x, x, m},
             {y}});
    }
}

TEST(Attention, SoftcapWithMask) {
  for (int64_t queries : {1, 40}) {
    Attention a{1, 4, 2, queries, 40, 8, 8};
    a.softcap = 1.5;
    a.scale = 3;
    a.causal = true;
    a.mask = Shape{queries, 40};
    a.checkAll();
  }
}

TEST(Attention, SymbolicSizes) {
  for (int64_t queries : {1, 7, 8, 41})
    for (int64_t keys : {41, 99}) {
      Attention a{3, 4, 2, queries, keys, 16, 16};
      a.causal = true;
      if (queries > 1)
        a.dims[queries] = "s0";
      if (keys != queries)
        a.dims[keys] = "s1";
      if (!a.dims.count(queries) && a.dims.count(keys))
        a.dims[keys] = "s0";
      a.checkAll();
      a.causal = false;
      a.mask = Shape{3, 1, queries, keys};
      a.boolMask = true;
      a.zeroMaskedRows = true;
      a.checkAll();
    }
}

// Pairs of keys, of channels and of columns, whole and not; several panels.
TEST(Attention, PairsOfBF16) {
  Attention cases[] = {{1, 2, 1, 9, 1, 64, 64},
                       {1, 1, 1, 40, 40, 32, 16},
                       {1, 1, 1, 70, 97, 40, 70},
                       {2, 2, 2, 33, 130, 7, 5}};
  for (Attention a : cases) {
    a.element = "bf16";
    if (a.keys > 90)
      a.cpus.push_back("amx");
    a.zeroMaskedRows = true;
    a.mask = Shape{a.queries, a.keys};
    a.checkAll();
    a.causal = true;
    a.dims = {{a.queries, "s0"}};
    a.checkAll();
  }
}

TEST(Attention, ElementTypes) {
  for (std::string element : {"f16", "f64", "bf16"})
    for (int64_t queries : {1, 9}) {
      Attention a{1, 4, 2, queries, 12, 8, 8};
      a.element = element;
      a.mask = Shape{queries, 12};
      a.zeroMaskedRows = true;
      a.checkAll();
    }
}

// ---- Rotary embedding ----

TEST(Rope, BothForms) {
  Random random;
  for (bool interleaved : {false, true})
    for (std::string element : {"f32", "f64", "f16"})
      for (const Shape &table :
           {Shape{2, 1, 7, 5}, {7, 5}, {1, 1, 7, 5}, {5}}) {
        Tensor x = random.floats({2, 3, 7, 10}, -1, 1, element),
               cos = random.floats(table, -1, 1, element),
               sin = random.floats(table, -1, 1, element);
        Tensor y = tabulate(element, x.shape, [&](const Shape &at) {
          int64_t d = at[3], pair = interleaved ? d / 2 : d % 5;
          bool first = interleaved ? d % 2 == 0 : d < 5;
          Shape other = at, angle = at;
          other[3] = interleaved ? d ^ 1 : first ? d + 5 : d - 5;
          angle[3] = pair;
          Real turned = x.at(other) * sin.broadcast(angle);
          return x.at(at) * cos.broadcast(angle) + (first ? -turned : turned);
        });
        double tolerance = element == "f16" ? 2e-3 : 1e-5;
        check({std::string("eff.rope %a0 cos %a1 sin %a2 {interleaved = ") +
                   (interleaved ? "true}" : "false}"),
               {x, cos, sin},
               {y},
               {},
               {{7, "s0"}, {3, "s1"}},
               tolerance,
               tolerance});
      }
}

} // namespace
