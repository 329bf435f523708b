#include "core/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>

namespace opelog {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  Result<int> good(7);
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 7);
  Result<int> bad(Error{Code::kLimit, "too many", 0});
  EXPECT_FALSE(bad);
  EXPECT_EQ(bad.error().message, "too many");
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> made(std::make_unique<int>(3));
  std::unique_ptr<int> taken = *std::move(made);
  EXPECT_EQ(*taken, 3);
}

TEST(Result, AnErrorMayBeTheValueOfAResult) {
  // Result<std::string> from a std::string must be a value, never an error's message.
  Result<std::string> text(std::string("x"));
  EXPECT_TRUE(text.ok());
}

TEST(Result, AStatusIsGoodUnlessGivenAnError) {
  EXPECT_TRUE(Status().ok());
  EXPECT_FALSE(Status(Error{}).ok());
}

TEST(Result, ErrnoChoosesTheCode) {
  const std::pair<int, Code> cases[] = {{ENOENT, Code::kNotFound},    {ENOTDIR, Code::kNotFound},
                                        {EEXIST, Code::kExists},      {EPERM, Code::kDenied},
                                        {EACCES, Code::kDenied},      {EOPNOTSUPP, Code::kUnsupported},
                                        {ENOTTY, Code::kUnsupported}, {ENOSYS, Code::kUnsupported},
                                        {ESRCH, Code::kGone},         {EPIPE, Code::kGone},
                                        {ECONNRESET, Code::kGone},    {EMFILE, Code::kLimit},
                                        {ENOSPC, Code::kIo},          {EIO, Code::kIo}};
  for (const auto& [err, code] : cases) {
    const Error e = error_from_errno(err, "open x");
    EXPECT_EQ(e.code, code) << err;
    EXPECT_EQ(e.err, err);
    EXPECT_EQ(e.message.rfind("open x: ", 0), 0u);
  }
}

TEST(Result, EveryCodeHasItsOwnWord) {
  std::set<std::string> words;
  for (const Code code : {Code::kInvalid, Code::kNotFound, Code::kExists, Code::kDenied, Code::kUnsupported,
                          Code::kLimit, Code::kIo, Code::kGone}) {
    EXPECT_TRUE(words.insert(code_name(code)).second) << code_name(code);
  }
}

}  // namespace
}  // namespace opelog
