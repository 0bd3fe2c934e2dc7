#include "base/mask.h"

#include <gtest/gtest.h>
#include <vector>

namespace dwell {
namespace {

std::string without(const std::vector<std::string>& secrets, std::string_view text) {
  return masked(text, secrets);
}

TEST(Mask, ASecretIsTakenOutWhereverItStands) {
  EXPECT_EQ(without({"hunter22"}, "wrong password hunter22"), "wrong password ***");
  EXPECT_EQ(without({"hunter22"}, "hunter22:hunter22"), "***:***");
  EXPECT_EQ(without({"hush"}, "xhushx"), "x***x");
  EXPECT_EQ(without({"one_secret", "two_secret"}, "two_secret, one_secret"), "***, ***");
  EXPECT_EQ(without({"abab"}, "ababab"), "***");
  EXPECT_EQ(without({"abcd", "bcde"}, "abcde"), "***");
}

TEST(Mask, OtherTextStays) {
  EXPECT_EQ(without({}, "any text"), "any text");
  EXPECT_EQ(without({""}, "any text"), "any text");
  EXPECT_EQ(without({"hunter22"}, ""), "");
  EXPECT_EQ(without({"hunter22"}, "the hunter of 22"), "the hunter of 22");
}

TEST(Mask, AShortSecretIsAWord) {
  EXPECT_EQ(without({"pw"}, "pw: no pw-file"), "***: no ***-file");
  EXPECT_EQ(without({"1"}, "after 10 tries at 127.0.0.1"), "after 10 tries at 127.0.0.***");
}

TEST(Mask, PartsOfALongSecretAreTakenOut) {
  const std::vector<std::string> secrets{"principal=admin secretpart=tail"};
  EXPECT_EQ(masked("unrecognized value beginning at: secretpart=tail", secrets),
            "unrecognized value beginning at:***");
  EXPECT_EQ(masked("... n secretpart ...", secrets), "... *** ...");
  EXPECT_EQ(masked("tail", secrets), "tail");  // too short to tell from a word
}

TEST(Mask, LinesOfAKeyAreTakenOut) {
  const std::vector<std::string> secrets{"-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0B"};
  EXPECT_EQ(masked("bad line MIIEvQIBADANBg here", secrets), "bad line *** here");
}

}  // namespace
}  // namespace dwell
