// TfIdfVectorizer of integers: the n-grams of a row are compared with all
// n-grams of the pool at once, and the hits are counted.
#include "MachineLearning.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

namespace {
struct Vectorizer {
  Emitter e;
  SmallVector<int64_t> pool, starts, columns;
  int64_t shortest = 0, longest = 0, skips = 0;
  Value x; // [N, C] of i64

  explicit Vectorizer(NodeContext &ctx) : e(ctx) {}
  LogicalResult readAttributes();
  /// Entries [begin, end) of the pool hold the n-grams of length n.
  std::pair<int64_t, int64_t> range(int64_t n) {
    int64_t size = pool.size();
    return {starts[n - 1], n < int64_t(starts.size()) ? starts[n] : size};
  }
  Value count(int64_t n, int64_t distance);
};
} // namespace

LogicalResult Vectorizer::readAttributes() {
  NodeContext &ctx = e.ctx;
  shortest = ctx.attrInt("min_gram_length", 0);
  longest = ctx.attrInt("max_gram_length", 0);
  skips = ctx.attrInt("max_skip_count", -1);
  if (ctx.hasAttr("pool_strings"))
    return ctx.unsupported("a pool of strings");
  pool = ctx.attrInts("pool_int64s", {});
  starts = ctx.attrInts("ngram_counts", {});
  columns = ctx.attrInts("ngram_indexes", {});
  if (shortest < 1 || longest < shortest || skips < 0 || longest > 64 ||
      skips > 1024)
    return ctx.error("the lengths of the n-grams or skips are out of range");
  int64_t total = 0, size = pool.size();
  for (int64_t n = 1; n <= int64_t(starts.size()); ++n) {
    auto [begin, end] = range(n);
    if (begin < 0 || end < begin || end > size || (end - begin) % n != 0)
      return ctx.error("ngram_counts does not divide the pool");
    total += (end - begin) / n;
  }
  if (total != int64_t(columns.size()) || columns.empty())
    return ctx.error("ngram_indexes must have one entry for each n-gram");
  return success();
}

/// How often each n-gram of length n occurs with its items `distance` apart:
/// [N, n-grams].
Value Vectorizer::count(int64_t n, int64_t distance) {
  NodeContext &ctx = e.ctx;
  auto [begin, end] = range(n);
  int64_t grams = (end - begin) / n;
  AffineExpr windows =
      ctx.maxSize(simplify(e.dim(x, 1) - (n - 1) * distance), e.constant(0));
  Type i64 = ctx.builder().getI64Type();
  Value same;
  for (int64_t i = 0; i < n; ++i) {
    SmallVector<int64_t> items;
    for (int64_t g = 0; g < grams; ++g)
      items.push_back(pool[begin + g * n + i]);
    // Rows shorter than the n-gram have no window; the offset stays inside.
    AffineExpr offset =
        getConstant(windows) == 0 ? e.constant(0) : e.constant(i * distance);
    Value part = e.slice(x, 1, offset, windows);
    Value hit = e.compare(CompareKind::Eq, e.unsqueeze(part, {2}),
                          numbers(ctx, i64, items, {grams}));
    same = same ? e.both(same, hit) : hit;
  }
  return e.reduce(ReduceKind::Sum, e.convert(same, ctx.builder().getF32Type()),
                  {1}, false);
}

/// Attribute mode: counts, presence times weight, or counts times weight.
static Value weigh(Emitter &e, Value counts, int64_t width) {
  NodeContext &ctx = e.ctx;
  std::string mode = ctx.attrString("mode", "");
  auto weights = ctx.attrFloats("weights");
  if (mode != "TF" && mode != "IDF" && mode != "TFIDF") {
    (void)ctx.error("attribute mode must be TF, IDF or TFIDF");
    return {};
  }
  if (mode == "IDF")
    counts = e.convert(e.compare(CompareKind::Gt, counts, 0.0),
                       ctx.builder().getF32Type());
  if (mode == "TF" || !weights)
    return counts;
  if (int64_t(weights->size()) != width) {
    (void)ctx.error("attribute weights must have one entry for each column");
    return {};
  }
  return e.mul(counts,
               numbers(ctx, ctx.builder().getF32Type(), *weights, {width}));
}

LogicalResult importTfIdfVectorizer(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Vectorizer v(ctx);
  Emitter &e = v.e;
  Value x = ctx.input(0);
  bool isRow = rankOf(x) == 1;
  if (!isRow && rankOf(x) != 2)
    return ctx.error("the operand has rank " + Twine(rankOf(x)) +
                     ", it must be 1 or 2");
  if (failed(v.readAttributes()))
    return failure();
  v.x = e.convert(isRow ? e.unsqueeze(x, {0}) : x, ctx.builder().getI64Type());
  Type f32 = ctx.builder().getF32Type();
  SmallVector<Value> parts;
  int64_t total = v.columns.size();
  for (int64_t n = 1; n <= int64_t(v.starts.size()); ++n) {
    auto [begin, end] = v.range(n);
    if (begin == end)
      continue;
    Value sum =
        e.splat(f32, {e.dim(v.x, 0), e.constant((end - begin) / n)}, 0.0);
    // The distance does not matter to single items: they count once.
    int64_t distances = n == 1 ? 1 : v.skips + 1;
    if (n >= v.shortest && n <= v.longest)
      for (int64_t distance = 1; distance <= distances; ++distance)
        sum = e.add(sum, v.count(n, distance));
    parts.push_back(sum);
  }
  // Columns without an n-gram read the zeros at the end.
  int64_t width = 1 + *llvm::max_element(v.columns);
  if (width > (1 << 20) || *llvm::min_element(v.columns) < 0)
    return ctx.error("ngram_indexes is out of range");
  SmallVector<int64_t> from(width, total);
  for (auto [gram, column] : llvm::enumerate(v.columns)) {
    if (from[column] != total)
      return ctx.unsupported("two n-grams share a column");
    from[column] = gram;
  }
  parts.push_back(e.splat(f32, {e.dim(v.x, 0), e.constant(1)}, 0.0));
  Value y =
      e.gather(e.concat(parts, 1),
               numbers(ctx, ctx.builder().getI64Type(), from, {width}), 1);
  y = weigh(e, y, width);
  return ctx.setOutput(0, isRow ? e.squeeze(y, {0}) : y);
}

} // namespace effc
