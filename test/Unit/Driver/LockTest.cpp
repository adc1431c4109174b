// effc.lock as text: what is read back, and what is refused.
#include "effc/Driver/Lock.h"
#include "gtest/gtest.h"

using namespace effc;

namespace {

Lock makeLock() {
  LockEntry entry{makeKey(GemmKey{GemmTypes::F32, 8, 64, 64, 256}),
                  "4x24, blocks of 8 rows, rows outside",
                  {{"4x24, blocks of 8 rows, rows outside", 12.5, 0.01}}};
  return {"0.1", "m.onnx", "abc", {{"v3", "a machine", {entry}}}};
}

TEST(Lock, ReadsWhatItWrites) {
  std::string text = printLock(makeLock()), error;
  std::optional<Lock> lock = parseLock(text, error);
  ASSERT_TRUE(lock) << error;
  EXPECT_EQ(printLock(*lock), text);
  ASSERT_NE(lock->find("a machine"), nullptr);
  EXPECT_EQ(lock->find("another"), nullptr);
  EXPECT_EQ(lock->targets[0].entries[0].key.print(),
            "gemm f32 m=8 n=64 k=64 row_bytes=256");
}

TEST(Lock, EveryTruncationIsRefused) {
  std::string text = printLock(makeLock()), error;
  // The last character is the end of the line.
  for (size_t size = 0; size + 1 < text.size(); ++size) {
    error.clear();
    EXPECT_FALSE(parseLock(text.substr(0, size), error)) << size;
    EXPECT_FALSE(error.empty());
  }
}

TEST(Lock, WrongFieldsAreNamed) {
  std::string text = printLock(makeLock());
  std::pair<const char *, const char *> changes[] = {
      {"\"effc-lock\"", "\"lock\""},
      {"\"format_version\": 1", "\"format_version\": 2"},
      {"\"sha256\": \"abc\"", "\"sha256\": 5"},
      {"\"m\": 8", "\"m\": -8"},
      {"\"m\": 8", "\"m\": 1e30"},
      {"\"m\": 8", "\"m\": 99999999999999999999"},
      {"\"us\": 12.5", "\"us\": -1"},
      {"\"us\": 12.5", "\"us\": 1e999"},
      {"\"kernels\"", "\"kernel\""}};
  for (auto [from, to] : changes) {
    std::string damaged = text, error;
    size_t at = damaged.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    EXPECT_FALSE(parseLock(damaged.replace(at, strlen(from), to), error)) << to;
    EXPECT_FALSE(error.empty());
  }
  std::string error;
  EXPECT_FALSE(parseLock(std::string(100000, '['), error));
}

TEST(Lock, ChoicesMustBeTheCompilers) {
  mlir::MLIRContext context;
  context.loadDialect<eff::EffDialect>();
  auto target = eff::TargetAttr::get(&context, "test", "", "", 256, 16,
                                     32 << 10, 1 << 20, "");
  LockTarget lock = makeLock().targets.front();
  lock.entries[0].choice = getCandidates(target, lock.entries[0].key).back();
  EXPECT_EQ(findBadChoice(lock, target), "");
  EXPECT_EQ(makeChoices(&context, lock).size(), 1u);
  lock.entries[0].choice = "1000x1000";
  EXPECT_NE(findBadChoice(lock, target).find("1000x1000"), std::string::npos);
  lock.entries[0].key.kernel = "gemv";
  EXPECT_NE(findBadChoice(lock, target).find("no kernel"), std::string::npos);
}

} // namespace
