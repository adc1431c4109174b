// Fourier transforms. A length known at compile time becomes one loop nest for
// each of its factors, Stockham's self-sorting algorithm (Van Loan,
// Computational Frameworks for the FFT, 1.7): O(n * sum of prime factors) time,
// so quadratic for a large prime, O(n) memory. Lengths that are symbols, whose
// factors nobody knows here, are summed directly: O(n^2) time, O(n) memory. All
// is in f64, since sums of many terms that cancel are what is asked of a DFT.
#include "Sampling.h"

using namespace mlir;
using namespace effc;
using namespace effc::eff;

namespace {

using Indices = KernelEmitter::Indices;

/// Larger prime factors take a loop over their terms.
constexpr int64_t maxUnrolled = 7;

struct Complex {
  Value re, im;
};

SmallVector<int64_t> factorize(int64_t n) {
  SmallVector<int64_t> factors;
  // Nothing is transformed.
  if (n < 1)
    return factors;
  for (int64_t p : {4, 2, 3})
    for (; n % p == 0; n /= p)
      factors.push_back(p);
  for (int64_t p = 5; p * p <= n; p += 2)
    for (; n % p == 0; n /= p)
      factors.push_back(p);
  if (n > 1)
    factors.push_back(n);
  return factors;
}

class Transformer {
public:
  Transformer(KernelEmitter &e, DftOp op)
      : e(e), op(op), at(e, e.b.getF64Type()),
        length(getDims(op.getTwiddles().getType())[0]), n(e.size(length)),
        from{e.scratch(at.type, length), e.scratch(at.type, length)} {
    if (getConstant(length))
      to = {e.scratch(at.type, length), e.scratch(at.type, length)};
  }

  LogicalResult emit();

private:
  Complex load(const Complex &line, Value i) {
    return {e.loadFlat(line.re, i, at.type), e.loadFlat(line.im, i, at.type)};
  }
  void store(Complex x, const Complex &line, Value i) {
    e.storeFlat(x.re, line.re, i);
    e.storeFlat(x.im, line.im, i);
  }
  Complex add(Complex a, Complex b) {
    return {at.add(a.re, b.re), at.add(a.im, b.im)};
  }
  Complex sub(Complex a, Complex b) {
    return {at.sub(a.re, b.re), at.sub(a.im, b.im)};
  }
  Complex mul(Complex a, Complex b) {
    return {at.sub(at.mul(a.re, b.re), at.mul(a.im, b.im)),
            at.add(at.mul(a.re, b.im), at.mul(a.im, b.re))};
  }
  /// exp(-+2 pi i position / n).
  Complex twiddle(Value position) {
    Value re = e.element(op.getTwiddles(), {position, e.index(0)});
    Value im = e.element(op.getTwiddles(), {position, e.index(1)});
    return {re, op.getInverse() ? at.sub(at.number(0), im) : im};
  }
  Complex factor(double turn);

  Complex operand(const Indices &line, Value i);
  void gatherLine(const Indices &line);
  SmallVector<Complex> butterfly(ArrayRef<Complex> x);
  void stage(int64_t current, int64_t stride, int64_t radix);
  void longStage(int64_t current, int64_t stride, int64_t radix);
  void fast(int64_t size);
  void direct(const Indices &line);
  void result(Complex x, const Indices &line, Value bin);
  AffineExpr bins() { return getDim(op.getType(), op.getAxis() + hops()); }
  int64_t hops() { return op.getHop() ? 1 : 0; }

  KernelEmitter &e;
  DftOp op;
  Coordinates at;
  AffineExpr length;
  Value n;
  /// Real and imaginary parts of a line, and of the next stage's.
  Complex from, to;
};

} // namespace

/// exp(-+2 pi i turn) as a constant.
Complex Transformer::factor(double turn) {
  double angle = 2 * 3.14159265358979323846 * turn;
  double sign = op.getInverse() ? 1 : -1;
  return {at.number(std::cos(angle)), at.number(sign * std::sin(angle))};
}

/// Element i of a line of the operand. `line` are the indices of the result
/// without bins and parts.
Complex Transformer::operand(const Indices &line, Value i) {
  Indices index;
  if (op.getHop()) {
    Value start = e.mul(line[1], e.index(op.getHop()));
    index = {line[0], e.add(start, i)};
  } else {
    index = line;
    index.insert(index.begin() + op.getAxis(), i);
  }
  index.push_back(e.index(0));
  Type type = cast<RankedTensorType>(op.getX().getType()).getElementType();
  auto part = [&](int64_t number) -> Value {
    index.back() = e.index(number);
    Value x = convertScalar(e, e.element(op.getX(), index), type, at.type);
    if (!op.getWindow())
      return x;
    Value scale = e.element(op.getWindow(), i);
    return at.mul(x, convertScalar(e, scale, scale.getType(), at.type));
  };
  bool isReal = getConstant(getDims(op.getX().getType()).back()) == 1;
  return {part(0), isReal ? at.number(0) : part(1)};
}

/// Fills the line: elements, zeros behind them, and for the inverse of a
/// onesided spectrum the conjugates of its bins.
void Transformer::gatherLine(const Indices &line) {
  bool mirrors = op.getInverse() && op.getOnesided();
  Value half = mirrors ? e.size(simplify(length.floorDiv(2) + 1)) : n;
  Value given = op.getHop() ? n : e.sizeOf(op.getX(), op.getAxis());
  Value count = e.minimum(given, half);
  e.loop(count, [&](Value i) { store(operand(line, i), from, i); });
  Complex zero{at.number(0), at.number(0)};
  e.loop(count, half, 1, [&](Value i) { store(zero, from, i); });
  if (!mirrors)
    return;
  e.loop(half, n, 1, [&](Value i) {
    Complex x = load(from, e.sub(n, i));
    store({x.re, at.sub(at.number(0), x.im)}, from, i);
  });
}

/// The transform of a few elements.
SmallVector<Complex> Transformer::butterfly(ArrayRef<Complex> x) {
  size_t radix = x.size();
  if (radix == 2)
    return {add(x[0], x[1]), sub(x[0], x[1])};
  if (radix == 4) {
    Complex a = add(x[0], x[2]), b = sub(x[0], x[2]);
    Complex c = add(x[1], x[3]), d = sub(x[1], x[3]);
    // -i d, or i d for the inverse.
    Value minus = at.sub(at.number(0), op.getInverse() ? d.im : d.re);
    Complex turned =
        op.getInverse() ? Complex{minus, d.re} : Complex{d.im, minus};
    return {add(a, c), add(b, turned), sub(a, c), sub(b, turned)};
  }
  SmallVector<Complex> y;
  for (size_t j = 0; j < radix; ++j) {
    Complex sum = x[0];
    for (size_t k = 1; k < radix; ++k) {
      size_t turn = j * k % radix;
      sum = add(sum, turn ? mul(x[k], factor(double(turn) / radix)) : x[k]);
    }
    y.push_back(sum);
  }
  return y;
}

/// One factor of sub-transforms of `current` elements that lie `stride` apart:
/// reads `from`, writes `to`.
void Transformer::stage(int64_t current, int64_t stride, int64_t radix) {
  int64_t size = *getConstant(length), rest = current / radix;
  e.loop(e.index(rest), [&](Value p) {
    SmallVector<Complex> turns;
    for (int64_t j = 1; j < radix && rest > 1; ++j)
      turns.push_back(twiddle(e.mul(p, e.index(j * (size / current)))));
    auto body = [&](Value q) {
      Value first = e.add(q, e.mul(p, e.index(stride)));
      SmallVector<Complex> x;
      for (int64_t k = 0; k < radix; ++k)
        x.push_back(load(from, e.add(first, e.index(k * rest * stride))));
      SmallVector<Complex> y = butterfly(x);
      Value target = e.add(q, e.mul(p, e.index(radix * stride)));
      for (int64_t j = 0; j < radix; ++j)
        store(j && rest > 1 ? mul(y[j], turns[j - 1]) : y[j], to,
              e.add(target, e.index(j * stride)));
    };
    if (stride == 1)
      return body(e.index(0));
    e.loop(e.index(stride), body);
  });
}

/// The same with loops over the terms of a large factor.
void Transformer::longStage(int64_t current, int64_t stride, int64_t radix) {
  int64_t size = *getConstant(length), rest = current / radix;
  auto number = [&](int64_t value) { return e.constExpr(value); };
  e.loopNest(
      {number(rest), number(radix), number(stride)},
      [&](ArrayRef<Value> index) {
        Value p = index[0], j = index[1], q = index[2];
        Value first = e.add(q, e.mul(p, e.index(stride)));
        auto sum = e.reduceLoop(
            e.index(0), e.index(radix), ValueRange{at.number(0), at.number(0)},
            [&](Value k, ValueRange a) {
              Value place = e.mul(k, e.index(rest * stride));
              Value turn = e.rem(e.mul(j, k), e.index(radix));
              Complex x = mul(load(from, e.add(first, place)),
                              twiddle(e.mul(turn, e.index(size / radix))));
              Complex next = add({a[0], a[1]}, x);
              return SmallVector<Value>{next.re, next.im};
            });
        Value turn = e.mul(e.mul(p, j), e.index(size / current));
        Value block = e.add(e.mul(p, e.index(radix)), j);
        store(mul({sum[0], sum[1]}, twiddle(turn)), to,
              e.add(q, e.mul(block, e.index(stride))));
      });
}

void Transformer::fast(int64_t size) {
  int64_t current = size, stride = 1;
  for (int64_t radix : factorize(size)) {
    if (radix <= maxUnrolled)
      stage(current, stride, radix);
    else
      longStage(current, stride, radix);
    current /= radix;
    stride *= radix;
    std::swap(from, to);
  }
}

void Transformer::result(Complex x, const Indices &line, Value bin) {
  Type element = cast<RankedTensorType>(op.getType()).getElementType();
  if (op.getInverse()) {
    Value scale = at.div(at.number(1), at.real(n));
    x = {at.mul(x.re, scale), at.mul(x.im, scale)};
  }
  Indices index(line);
  index.insert(index.begin() + op.getAxis() + hops(), bin);
  index.push_back(e.index(0));
  e.store(convertScalar(e, x.re, at.type, element), 0, index);
  if (getConstant(getDims(op.getType()).back()) == 1)
    return;
  index.back() = e.index(1);
  e.store(convertScalar(e, x.im, at.type, element), 0, index);
}

void Transformer::direct(const Indices &line) {
  e.loop(e.size(bins()), [&](Value bin) {
    Value zero = at.number(0);
    auto sum = e.reduceLoop(
        e.index(0), n, ValueRange{zero, zero, e.index(0)},
        [&](Value i, ValueRange a) {
          Complex next = add({a[0], a[1]}, mul(load(from, i), twiddle(a[2])));
          // The turn of element i is i * bin modulo n.
          Value turn = e.add(a[2], bin);
          Value over = e.compare(arith::CmpIPredicate::sge, turn, n);
          turn = at.select(over, e.sub(turn, n), turn);
          return SmallVector<Value>{next.re, next.im, turn};
        });
    result({sum[0], sum[1]}, line, bin);
  });
}

LogicalResult Transformer::emit() {
  Dims lines = getDims(op.getType());
  lines.pop_back();
  lines.erase(lines.begin() + op.getAxis() + hops());
  e.setExtent(product(e.b.getContext(), lines));
  e.parallelLoop([&](Value item) {
    Indices line = e.delinearize(item, lines);
    gatherLine(line);
    std::optional<int64_t> size = getConstant(length);
    if (!size)
      return direct(line);
    fast(*size);
    e.loop(e.size(bins()),
           [&](Value bin) { result(load(from, bin), line, bin); });
  });
  return success();
}

LogicalResult effc::emitDftKernel(KernelEmitter &e, Operation *anchor) {
  if (auto dft = dyn_cast<DftOp>(anchor))
    return Transformer(e, dft).emit();
  return failure();
}
