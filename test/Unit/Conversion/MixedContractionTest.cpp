// Contractions whose sums are wider than their operands: 8-bit integers of
// either sign in i32, which wraps around, and bf16 in f32.
#include "LoopCase.h"
#include <cmath>

using namespace effc;

namespace {

struct Types {
  std::string a, b, sum;
};

const Types types[] = {{"ui8", "i8", "i32"},
                       {"i8", "ui8", "i32"},
                       {"i8", "i8", "i32"},
                       {"ui8", "ui8", "i32"},
                       {"bf16", "bf16", "f32"}};

bool isFloat(const Types &t) { return t.sum == "f32"; }

/// Integers take every value, so the ends of their ranges too.
Tensor numbers(Random &random, const std::string &element, const Shape &shape) {
  if (element == "bf16" || element == "f32")
    return random.floats(shape, -1, 1, element);
  if (element == "i32")
    return random.integers(shape, INT32_MAX - 100000, INT32_MAX, element);
  return element == "i8" ? random.integers(shape, -128, 127, element)
                         : random.integers(shape, 0, 255, element);
}

Real wrapped(const Types &t, Real sum) {
  if (isFloat(t))
    return sum;
  return static_cast<int32_t>(static_cast<int64_t>(sum));
}

void run(const Types &t, LoopCase c) {
  SCOPED_TRACE(t.a + " x " + t.b + ": " + c.text);
  c.relative = c.absolute = isFloat(t) ? 1e-5 : 0;
  c.cpus = {"native", "v3"};
  // What tiles of AMX multiply; other signs are brought to the first.
  if (&t == types || isFloat(t))
    c.cpus.push_back("amx");
  check(c);
}

TEST(MixedContraction, Matmul) {
  for (const Types &t : types)
    for (bool transposed : {false, true}) {
      Random random;
      Tensor a = numbers(random, t.a, {2, 5, 131}),
             b = numbers(random, t.b, {131, 19});
      Tensor y = tabulate(t.sum, {2, 5, 19}, [&](const Shape &at) {
        Real sum = 0;
        for (int64_t k = 0; k < 131; ++k)
          sum += a.at({at[0], at[1], k}) * b.at({k, at[2]});
        return sum;
      });
      run(t, {std::string("eff.matmul %a0, %a1") +
                  (transposed ? " {transpose_b = true}" : ""),
              {a, transposed ? permute(b, {1, 0}) : b},
              {y},
              {},
              {{5, "s0"}}});
    }
}

TEST(MixedContraction, Linear) {
  for (const Types &t : types)
    for (Shape shape : {Shape{7, 70}, {1, 256}, {33, 64}})
      for (bool transposed : {false, true})
        for (bool hasBias : {false, true}) {
          Random random;
          Tensor x = numbers(random, t.a, shape),
                 w = numbers(random, t.b, {shape[1], 50}),
                 bias = numbers(random, t.sum, {50});
          Tensor y = tabulate(t.sum, {shape[0], 50}, [&](const Shape &at) {
            Real sum = hasBias ? bias.at({at[1]}) : 0;
            for (int64_t k = 0; k < shape[1]; ++k)
              sum += x.at({at[0], k}) * w.at({k, at[1]});
            return wrapped(t, sum);
          });
          LoopCase c{std::string("eff.linear %a0, %a1") +
                         (hasBias ? " bias %a2" : "") +
                         (transposed ? " {transpose_weight = true}" : ""),
                     {x, transposed ? permute(w, {1, 0}) : w},
                     {y},
                     {1},
                     {{7, "s0"}}};
          if (hasBias) {
            c.inputs.push_back(bias);
            c.constants.insert(2);
          }
          run(t, c);
        }
}

/// 8-bit sums that are scaled, rounded and stored in 8 bits, in one kernel.
TEST(MixedContraction, Requantises) {
  for (const Types &t : types) {
    if (isFloat(t))
      continue;
    Random random;
    Tensor x = numbers(random, t.a, {6, 64}),
           w = numbers(random, t.b, {64, 40}),
           bias = random.integers({40}, -1000, 1000, "i32"),
           scale = random.floats({40}, 0.0001F, 0.001F);
    Tensor y = tabulate("ui8", {6, 40}, [&](const Shape &at) {
      Real sum = bias.at({at[1]});
      for (int64_t k = 0; k < 64; ++k)
        sum += x.at({at[0], k}) * w.at({k, at[1]});
      // As in f32, whose rounding decides ties.
      float scaled = float(sum) * float(scale.at({at[1]}));
      return Real(std::fmin(255.0F, std::fmax(0, std::rint(scaled) + 128)));
    });
    LoopCase c{"%0 = eff.linear %a0, %a1 bias %a2 : ($0, $1, $2) -> $r:i32\n"
               "  %1 = eff.convert %0 : ($r:i32) -> $r:f32\n"
               "  %2 = eff.binary mul %1, %a3 : ($r:f32, $3) -> $r:f32\n"
               "  %3 = eff.unary round %2 : ($r:f32) -> $r:f32\n"
               "  %z = eff.constant dense<128.0> : tensor<f32>\n"
               "  %4 = eff.binary add %3, %z : ($r:f32, tensor<f32>) -> "
               "$r:f32\n"
               "  %5 = eff.unary clip %4 {alpha = 0.0 : f64, beta = 255.0 : "
               "f64} : ($r:f32) -> $r:f32\n"
               "  %r = eff.convert %5 : ($r:f32) -> $r",
               {x, w, bias, scale},
               {y},
               {1, 2, 3},
               {{6, "s0"}}};
    c.launches = 1;
    run(t, c);
  }
}

struct Conv {
  Shape x, weight;
  std::vector<int64_t> strides, dilations, pads;
  int64_t groups = 1, padValue = 0;
};

std::string list(const char *name, const std::vector<int64_t> &values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? ": " : ", ") + std::to_string(value);
  return std::string(name) + " = array<i64" + text + ">, ";
}

void checkConv(const Types &t, const Conv &conv) {
  Random random;
  Tensor x = numbers(random, t.a, conv.x),
         w = numbers(random, t.b, conv.weight);
  Shape shape = {conv.x[0], conv.weight[0]};
  for (size_t i = 0; i < 2; ++i)
    shape.push_back((conv.x[2 + i] + conv.pads[i] + conv.pads[2 + i] -
                     conv.dilations[i] * (conv.weight[2 + i] - 1) - 1) /
                        conv.strides[i] +
                    1);
  int64_t perGroup = conv.weight[0] / conv.groups;
  Tensor y = tabulate(t.sum, shape, [&](const Shape &at) {
    Real sum = 0;
    Shape taps(conv.weight.begin() + 1, conv.weight.end());
    forEach(taps, [&](const Shape &tap) {
      Shape from = {at[0], at[1] / perGroup * conv.weight[1] + tap[0]};
      bool inside = true;
      for (size_t i = 0; i < 2; ++i) {
        from.push_back(at[2 + i] * conv.strides[i] - conv.pads[i] +
                       tap[1 + i] * conv.dilations[i]);
        inside &= from.back() >= 0 && from.back() < conv.x[2 + i];
      }
      sum += (inside ? x.at(from) : Real(conv.padValue)) *
             w.at({at[1], tap[0], tap[1], tap[2]});
    });
    return sum;
  });
  for (bool last : {false, true})
    run(t, {"eff.conv %a0, %a1 {" + list("strides", conv.strides) +
                list("dilations", conv.dilations) + list("pads", conv.pads) +
                "groups = " + std::to_string(conv.groups) +
                " : i64, pad_value = " + std::to_string(conv.padValue) +
                " : i64, channels_last = " + (last ? "true" : "false") + "}",
            {last ? toChannelsLast(x) : x, w},
            {last ? toChannelsLast(y) : y},
            {1},
            {{conv.x[0], "s0"}}});
}

TEST(MixedContraction, Conv) {
  for (const Types &t : types) {
    bool isSigned = t.a == "i8";
    for (int64_t pad :
         {int64_t(0), int64_t(isSigned ? -128 : 255), int64_t(7)}) {
      if (isFloat(t) && pad != 0)
        continue;
      // Padded on all sides and unevenly, strided, dilated, grouped, depthwise,
      // pointwise.
      checkConv(t, {{2, 16, 9, 9},
                    {20, 16, 3, 3},
                    {1, 1},
                    {1, 1},
                    {1, 1, 1, 1},
                    1,
                    pad});
      checkConv(
          t,
          {{2, 5, 9, 8}, {17, 5, 3, 3}, {2, 2}, {1, 1}, {0, 0, 1, 1}, 1, pad});
      checkConv(
          t,
          {{2, 8, 9, 9}, {8, 4, 3, 3}, {1, 2}, {2, 1}, {2, 1, 2, 1}, 2, pad});
      checkConv(t, {{2, 18, 7, 7},
                    {18, 1, 3, 3},
                    {1, 1},
                    {1, 1},
                    {1, 1, 1, 1},
                    18,
                    pad});
    }
    // Rows of more than one register, wide lines.
    if (&t == types || isFloat(t))
      checkConv(t,
                {{1, 68, 3, 37}, {24, 68, 3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}});
    checkConv(t, {{2, 33, 5, 4}, {40, 33, 1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}});
  }
}

/// Sums of bytes to bytes, as "requantise" below.
Tensor requantised(const Tensor &sums, float scale) {
  return tabulate("ui8", sums.shape, [&](const Shape &at) {
    float scaled = std::rint(float(sums.at(at)) * scale) + 128;
    return Real(std::fmin(255.0F, std::fmax(0, scaled)));
  });
}

/// 3x3 over NHWC with a padding of 1 by the zero point.
Tensor convolved(const Tensor &x, const Tensor &w, int64_t stride) {
  int64_t rows = (x.shape[1] - 1) / stride + 1,
          columns = (x.shape[2] - 1) / stride + 1;
  return tabulate("i32", {1, rows, columns, w.shape[0]}, [&](const Shape &at) {
    Real sum = 0;
    forEach({w.shape[1], 3, 3}, [&](const Shape &tap) {
      int64_t h = at[1] * stride + tap[1] - 1, v = at[2] * stride + tap[2] - 1;
      bool inside = h >= 0 && h < x.shape[1] && v >= 0 && v < x.shape[2];
      sum += (inside ? x.at({0, h, v, tap[0]}) : Real(128)) *
             w.at({at[3], tap[0], tap[1], tap[2]});
    });
    return sum;
  });
}

/// A network of int8: two convolutions and a linear layer, each to bytes.
TEST(MixedContraction, Layers) {
  Random random;
  constexpr float scale = 0.001F;
  Tensor x = random.integers({1, 18, 20, 8}, 0, 255, "ui8"),
         w0 = random.integers({24, 8, 3, 3}, -128, 127, "i8"),
         w1 = random.integers({40, 24, 3, 3}, -128, 127, "i8"),
         w2 = random.integers({40, 16}, -128, 127, "i8");
  Tensor h0 = requantised(convolved(x, w0, 1), scale),
         h1 = requantised(convolved(h0, w1, 2), scale);
  Tensor y = tabulate("i32", {1, 9, 10, 16}, [&](const Shape &at) {
    Real sum = 0;
    for (int64_t k = 0; k < 40; ++k)
      sum += h1.at({0, at[1], at[2], k}) * w2.at({k, at[3]});
    return sum;
  });
  auto requantise = [](const std::string &shape, const std::string &from) {
    std::string f32 = "tensor<" + shape + "xf32>";
    auto binary = [&](const char *op, const std::string &to, int number) {
      return "  " + from + std::to_string(number + 1) + " = eff.binary " + op +
             " " + from + std::to_string(number) + ", " + to + " : (" + f32 +
             ", tensor<f32>) -> " + f32 + "\n";
    };
    return "  " + from + "1 = eff.convert " + from + "0 : (tensor<" + shape +
           "xi32>) -> " + f32 + "\n" + binary("mul", "%scale", 1) + "  " +
           from + "3 = eff.unary round " + from + "2 : (" + f32 + ") -> " +
           f32 + "\n" + binary("add", "%zero", 3) + "  " + from +
           "5 = eff.unary clip " + from +
           "4 {alpha = 0.0 : f64, beta = 255.0 : f64} : (" + f32 + ") -> " +
           f32 + "\n  " + from + "6 = eff.convert " + from + "5 : (" + f32 +
           ") -> tensor<" + shape + "xui8>\n";
  };
  auto conv = [](const std::string &operands, const char *stride,
                 const std::string &types) {
    return "eff.conv " + operands + " {strides = array<i64: " + stride +
           ">, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, "
           "groups = 1 : i64, pad_value = 128 : i64, channels_last = true} : " +
           types + "\n";
  };
  LoopCase c{
      "%scale = eff.constant dense<0.001> : tensor<f32>\n"
      "  %zero = eff.constant dense<128.0> : tensor<f32>\n"
      "  %p0 = " +
          conv("%a0, %a1", "1, 1", "($0, $1) -> tensor<1x18x20x24xi32>") +
          requantise("1x18x20x24", "%p") + "  %q0 = " +
          conv("%p6, %a2", "2, 2",
               "(tensor<1x18x20x24xui8>, $2) -> tensor<1x9x10x40xi32>") +
          requantise("1x9x10x40", "%q") +
          "  %r = eff.linear %q6, %a3 : (tensor<1x9x10x40xui8>, $3) -> "
          "$r",
      {x, w0, w1, w2},
      {y},
      {1, 2, 3}};
  c.launches = 3;
  c.cpus = {"native", "v3", "amx"};
  check(c);
}

/// What else a product with weights in blocks has.
enum class Blocks { Plain, Zeros, Codebook };

/// Weights of 2 to 8 bits with a scale for each block.
void checkBlocks(const std::string &element, int64_t block, const Shape &x,
                 int64_t columns, Blocks kind, bool mayRound) {
  Random random;
  int64_t depth = x.back(), blocks = depth / block,
          most = (1 << (element.back() - '0')) - 1;
  bool hasZeros = kind == Blocks::Zeros, hasCodebook = kind == Blocks::Codebook;
  Tensor a = random.floats(x, -1, 1),
         w = random.integers({columns, depth}, 0, most, element),
         scales = random.floats({columns, blocks}, 0.001F, 0.01F),
         zeros = random.integers({columns, blocks}, 0, most, "f32");
  // No arithmetic gives these.
  std::vector<float> codebook;
  std::string numbers;
  for (int64_t i = 0; i <= most && hasCodebook; ++i) {
    codebook.push_back(static_cast<float>(i * i % 7 - i) / 4);
    numbers += (i ? ", " : "") + std::to_string(codebook.back());
  }
  Tensor y = tabulate("f32", {x[0], columns}, [&](const Shape &at) {
    Real sum = 0;
    for (int64_t k = 0; k < depth; ++k) {
      Shape place{at[1], k / block};
      Real zero = hasZeros ? zeros.at(place) : Real((most + 1) / 2);
      Real code = w.at({at[1], k});
      Real weight = hasCodebook ? Real(codebook[size_t(code)]) : code - zero;
      sum += a.at({at[0], k}) * weight * scales.at(place);
    }
    return sum;
  });
  std::string text = "eff.block_linear %a0, %a1 scales %a2";
  text += (hasZeros ? " zeros %a3 block " : " block ") + std::to_string(block);
  text += hasCodebook ? " codebook [" + numbers + "]" : "";
  LoopCase c{text + (mayRound ? " {bytes}" : ""),
             {a, w, scales},
             {y},
             {1, 2},
             {{x[0], "s0"}}};
  if (hasZeros) {
    c.inputs.push_back(zeros);
    c.constants.insert(3);
  }
  c.cpus = {"native", "v3"};
  // Rounding to 127 steps: half a step of every element, of either sign.
  double step = 0.01 * most / 254 * std::sqrt(double(depth));
  c.relative = mayRound ? 0 : 1e-5;
  c.absolute = mayRound ? step : 1e-5 * most;
  SCOPED_TRACE(element + " block " + std::to_string(block) + " rows " +
               std::to_string(x[0]));
  check(c);
}

TEST(MixedContraction, Blocks) {
  for (const char *element : {"ui2", "ui3", "ui4", "ui8"})
    for (Blocks kind : {Blocks::Plain, Blocks::Zeros, Blocks::Codebook})
      for (bool mayRound : {false, true}) {
        if (kind == Blocks::Codebook && (mayRound || element[2] == '8'))
          continue;
        checkBlocks(element, 32, {1, 128}, 80, kind, mayRound);
        checkBlocks(element, 16, {5, 48}, 33, kind, mayRound);
        checkBlocks(element, 128, {13, 256}, 32, kind, mayRound);
        checkBlocks(element, 256, {3, 256}, 1, kind, mayRound);
      }
}

} // namespace
