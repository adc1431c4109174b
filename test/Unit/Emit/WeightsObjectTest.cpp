// The hand-written ELF object, read back by LLVM's own reader.
#include "Objects.h"
#include "TestModule.h"
#include "llvm/Object/ELFObjectFile.h"

using namespace mlir;
using namespace effc;

namespace {

class WeightsObjectTest : public EmitTest,
                          public testing::WithParamInterface<const char *> {};

TEST_P(WeightsObjectTest, HoldsOneHiddenSymbolAndOneAlignedSection) {
  auto module = parse(kTestModule);
  FailureOr<ModelTable> table = buildModelTable({{*module, "", 0}}, "m");
  ASSERT_TRUE(succeeded(table));
  llvm::Triple triple(GetParam());
  std::string bytes;
  llvm::raw_string_ostream os(bytes);
  ASSERT_TRUE(succeeded(writeWeightsObject(*table, triple, os)));
  auto file = llvm::object::ObjectFile::createObjectFile(
      llvm::MemoryBufferRef(bytes, "weights.o"));
  ASSERT_TRUE(bool(file)) << llvm::toString(file.takeError());
  EXPECT_EQ((*file)->getArch(), triple.getArch());

  unsigned symbols = 0;
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    ++symbols;
    EXPECT_EQ(llvm::cantFail(symbol.getName()), "effc_weights_m");
    EXPECT_EQ(llvm::object::ELFSymbolRef(symbol).getSize(), table->weightsSize);
    EXPECT_EQ(llvm::object::ELFSymbolRef(symbol).getOther(),
              llvm::ELF::STV_HIDDEN);
    llvm::object::SectionRef section = *llvm::cantFail(symbol.getSection());
    EXPECT_EQ(llvm::cantFail(section.getName()), ".effc_weights");
    EXPECT_EQ(section.getAlignment().value(), 4096u);
    EXPECT_FALSE(section.isText());
    StringRef contents = llvm::cantFail(section.getContents());
    ASSERT_EQ(contents.size(), 76u);
    float panel[16], bias[3];
    std::memcpy(panel, contents.data(), sizeof(panel));
    std::memcpy(bias, contents.data() + 64, sizeof(bias));
    // Row 0 of the matrix, then a column of padding.
    EXPECT_EQ(panel[2], 3.0f);
    EXPECT_EQ(panel[3], 0.0f);
    EXPECT_EQ(bias[2], 30.0f);
  }
  EXPECT_EQ(symbols, 1u);
}

INSTANTIATE_TEST_SUITE_P(Machines, WeightsObjectTest,
                         testing::Values("x86_64-unknown-linux-gnu",
                                         "aarch64-unknown-linux-gnu"),
                         [](const auto &info) {
                           return std::string(
                               StringRef(info.param).split('-').first);
                         });

} // namespace
