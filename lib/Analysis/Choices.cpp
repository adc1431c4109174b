// Choices are compared as text with the candidates that the compiler makes
// itself, so a lock can name nothing that code generation does not have.
#include "effc/Analysis/Choices.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace effc {

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

std::string ChoiceKey::print() const {
  std::string text = kernel + " " + types;
  for (const auto &[name, size] : sizes)
    text += " " + name + "=" + (size < 0 ? "?" : std::to_string(size));
  return text;
}

std::optional<ChoiceKey> ChoiceKey::parse(StringRef text) {
  SmallVector<StringRef> words;
  text.split(words, ' ');
  if (words.size() < 2)
    return std::nullopt;
  ChoiceKey key{words[0].str(), words[1].str(), {}};
  for (StringRef word : llvm::drop_begin(words, 2)) {
    auto [name, value] = word.split('=');
    int64_t size = -1;
    if (value != "?" && value.getAsInteger(10, size))
      return std::nullopt;
    key.sizes.emplace_back(name.str(), size);
  }
  return key;
}

bool ChoiceKey::isStatic() const {
  return llvm::all_of(sizes, [](const auto &size) { return size.second >= 0; });
}

static constexpr std::pair<GemmTypes, const char *> typeNames[] = {
    {GemmTypes::F32, "f32"},
    {GemmTypes::BF16, "bf16"},
    {GemmTypes::U8S8, "u8s8"}};

ChoiceKey makeKey(const GemmKey &key) {
  const auto *name = llvm::find_if(
      typeNames, [&](const auto &row) { return row.first == key.types; });
  return {
      "gemm",
      name->second,
      {{"m", key.m}, {"n", key.n}, {"k", key.k}, {"row_bytes", key.rowBytes}}};
}

ChoiceKey makeKey(const ConvKey &key) {
  return {"conv3x3",
          "f32",
          {{"images", key.images},
           {"rows", key.rows},
           {"columns", key.columns},
           {"channels", key.channels},
           {"outputs", key.outputs}}};
}

/// Negative sizes as nothing.
static std::optional<int64_t> known(int64_t size) {
  return size < 0 ? std::nullopt : std::optional(size);
}

static std::optional<GemmKey> parseGemm(const ChoiceKey &key) {
  GemmKey gemm;
  for (auto [types, name] : typeNames)
    if (key.types == name)
      gemm.types = types;
  if (key.sizes.size() == 4) {
    gemm.m = key.sizes[0].second;
    gemm.n = key.sizes[1].second;
    gemm.k = key.sizes[2].second;
    gemm.rowBytes = key.sizes[3].second;
  }
  if (makeKey(gemm).print() == key.print() && gemm.n >= 0 && gemm.k >= 0 &&
      gemm.rowBytes >= 0)
    return gemm;
  return std::nullopt;
}

static std::optional<WinogradSizes> parseConv(const ChoiceKey &key) {
  ConvKey conv;
  if (key.sizes.size() == 5)
    conv = {key.sizes[0].second, key.sizes[1].second, key.sizes[2].second,
            key.sizes[3].second, key.sizes[4].second};
  if (makeKey(conv).print() != key.print() || conv.channels < 1 ||
      conv.outputs < 1)
    return std::nullopt;
  return WinogradSizes{known(conv.images), known(conv.rows),
                       known(conv.columns), conv.channels, conv.outputs};
}

//===----------------------------------------------------------------------===//
// Choices
//===----------------------------------------------------------------------===//

static constexpr llvm::StringLiteral kDirect = "direct";

static std::string print(const TileChoice &choice) {
  return llvm::formatv("{0}x{1}, blocks of {2} rows, {3} outside", choice.rows,
                       choice.width, choice.rowsPerBlock,
                       choice.rowsOuter ? "rows" : "panels")
      .str();
}

static std::string print(const WinogradChoice &choice) {
  return llvm::formatv("winograd, {0} tiles x {1}, gemm {2}", choice.strip,
                       choice.block, print(choice.product))
      .str();
}

static std::vector<TileChoice> getTiles(eff::TargetAttr target,
                                        const GemmKey &key) {
  return getGemmCandidates(target, known(key.m), key.n, key.k, key.rowBytes,
                           key.types);
}

/// Sizes of a real model; estimates of others would overflow.
static bool isSane(const ChoiceKey &key) {
  double product = 1;
  for (const auto &[name, size] : key.sizes) {
    if (size < -1 || size > kMostOfKey)
      return false;
    if (name != "row_bytes")
      product *= std::max<int64_t>(size, 1);
  }
  return product <= kMostWorkOfKey;
}

std::vector<std::string> getCandidates(eff::TargetAttr target,
                                       const ChoiceKey &key) {
  std::vector<std::string> texts;
  if (!isSane(key))
    return texts;
  auto add = [&](std::string text) {
    if (!llvm::is_contained(texts, text))
      texts.push_back(std::move(text));
  };
  if (std::optional<GemmKey> gemm = parseGemm(key))
    for (const TileChoice &tile : getTiles(target, *gemm))
      add(print(tile));
  if (std::optional<WinogradSizes> conv = parseConv(key)) {
    WinogradChoice best = chooseWinograd(target, *conv);
    if (!best.isFaster)
      add(kDirect.str());
    for (const WinogradChoice &choice : getWinogradCandidates(target, *conv))
      add(print(choice));
    add(kDirect.str());
  }
  return texts;
}

std::string describeTarget(eff::TargetAttr target) {
  return llvm::formatv("{0}{1}{2}, {3} registers of {4} bits, L1 {5}, L2 {6}{7}"
                       "{8}",
                       target.getCpu(), target.getFeatures().empty() ? "" : " ",
                       target.getFeatures(), target.getVectorRegisters(),
                       target.getVectorBits(), target.getL1Bytes(),
                       target.getL2Bytes(),
                       target.getTune().empty() ? "" : ", ", target.getTune())
      .str();
}

StringRef KernelChoices::lookup(const ChoiceKey &key) {
  asked.push_back(key);
  if (!locked)
    return "";
  auto choice = locked.getAs<StringAttr>(key.print());
  return choice ? choice.getValue() : "";
}

TileChoice KernelChoices::gemm(std::optional<int64_t> m, int64_t n, int64_t k,
                               int64_t rowBytes, GemmTypes types,
                               const RowRuns &runs) {
  GemmKey key{types, m.value_or(-1), n, k, rowBytes};
  std::string printed = makeKey(key).print();
  StringRef choice = lookup(makeKey(key));
  TileChoice result = chooseConvTile(target, m, n, k, rowBytes, types, runs);
  auto shared =
      panels ? panels.getAs<DenseI64ArrayAttr>(printed) : DenseI64ArrayAttr();
  if (!choice.empty()) {
    for (const TileChoice &tile : getTiles(target, key))
      if (print(tile) == choice)
        result = tile;
  } else if (shared && shared.size() == 2) {
    if (auto tile = chooseGemmTile(target, m, n, k, rowBytes, types,
                                   PanelShape{shared[0], shared[1]}, runs))
      result = *tile;
  }
  made.set(printed,
           DenseI64ArrayAttr::get(target.getContext(),
                                  {result.panelWidth, result.interleave}));
  return result;
}

DictionaryAttr KernelChoices::getPanels(MLIRContext *context) const {
  NamedAttrList all = panels ? NamedAttrList(panels) : NamedAttrList();
  // What the best version has stays.
  for (NamedAttribute each : made)
    if (!all.get(each.getName()))
      all.set(each.getName(), each.getValue());
  return all.getDictionary(context);
}

WinogradChoice KernelChoices::winograd(const WinogradSizes &sizes) {
  StringRef choice = lookup(makeKey(
      ConvKey{sizes.images.value_or(-1), sizes.rows.value_or(-1),
              sizes.columns.value_or(-1), sizes.channels, sizes.outputs}));
  WinogradChoice model = chooseWinograd(target, sizes);
  if (choice.empty())
    return model;
  model.reason = "measured: " + choice.str();
  model.isFaster = false;
  for (WinogradChoice candidate : getWinogradCandidates(target, sizes))
    if (print(candidate) == choice) {
      candidate.isFaster = true;
      candidate.reason = model.reason;
      return candidate;
    }
  return model;
}

} // namespace effc
