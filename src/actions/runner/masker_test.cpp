// Secrets never come out, however a text is cut and in whatever form they stand in it.

#include "actions/runner/masker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string in_pieces(const Masks& masks, std::string_view text, const std::vector<std::size_t>& cuts) {
  MaskStream stream(masks);
  std::string out;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    stream.write(text.substr(from, cut - from), out);
    from = cut;
  }
  stream.write(text.substr(from), out);
  stream.finish(out);
  return out;
}

TEST(Masks, HidesEveryOccurrence) {
  Masks masks;
  masks.add("hunter2");
  EXPECT_EQ(masks.mask("a hunter2, hunter2hunter2 and hunter"), "a ***, *** and hunter");
  EXPECT_EQ(masks.mask(""), "");
}

TEST(Masks, HidesWhatOverlaps) {
  Masks masks;
  masks.add("abcab");
  masks.add("cabxy");
  EXPECT_EQ(masks.mask("-abcabxy-abcabcab-"), "-***-***-");
}

TEST(Masks, HidesTheLinesOfALongerSecretButNotItsBraces) {
  Masks masks;
  masks.add("-----BEGIN\nMIIEpAIB\r\n}\nend-of-key\n");
  EXPECT_EQ(masks.mask("x MIIEpAIB y } end-of-key"), "x *** y } ***");
}

TEST(Masks, HidesASecretWithSpacesAroundIt) {
  Masks masks;
  masks.add("  padded-secret\n");
  EXPECT_THAT(masks.mask("value=padded-secret."), Not(HasSubstr("padded-secret")));
}

TEST(Masks, NothingToHideHidesNothing) {
  Masks masks;
  masks.add("");
  masks.add(" \n");
  EXPECT_EQ(masks.mask("a b"), "a b");
}

TEST(Masks, HidesBase64AtEveryOffset) {
  Masks masks;
  const std::string secret = "s3cr3t-Pa55/word?+";
  masks.add(secret);
  for (const std::string before : {"", "u", "us", "use", "user:"}) {
    for (const std::string behind : {"", "\n", "ab", "abc"}) {
      std::string encoded = base64_encode(before + secret + behind);
      // All but the characters at the edges, which hold bits of other text too.
      const std::string sure = encoded.substr((before.size() * 8 + 5) / 6, (secret.size() - 1) * 8 / 6 - 1);
      EXPECT_THAT(masks.mask(encoded), Not(HasSubstr(sure.substr(2, 8)))) << before << "|" << behind;
      std::replace(encoded.begin(), encoded.end(), '+', '-');
      std::replace(encoded.begin(), encoded.end(), '/', '_');
      EXPECT_LE(masks.mask(encoded).size(), 3 + before.size() * 2 + behind.size() * 2 + 6) << encoded;
    }
  }
  EXPECT_EQ(masks.mask(base64_encode(secret)), "***");
}

TEST(Masks, HidesWrappedBase64) {
  Masks masks;
  std::string secret;
  for (int i = 0; i < 40; ++i) secret += "line" + std::to_string(i) + "-";
  masks.add(secret);
  const std::string encoded = base64_encode(secret + "\n");
  for (std::size_t at = 0; at + 76 < encoded.size(); at += 76) {
    EXPECT_EQ(masks.mask(encoded.substr(at, 76)), "***") << at;
  }
}

TEST(Masks, HidesTheFormsOfJsonAndUrls) {
  Masks masks;
  masks.add("p\"q\\r s");
  EXPECT_EQ(masks.mask(R"({"x":"p\"q\\r s"})"), R"({"x":"***"})");
  EXPECT_EQ(masks.mask("?a=p%22q%5Cr%20s&b"), "?a=***&b");
}

TEST(Masks, RefusesMoreThanItCanSearch) {
  Masks masks;
  bool all = true;
  for (int i = 0; i < 200 && all; ++i)
    all = masks.add(std::string(60'000, static_cast<char>('a' + i % 26)) + std::to_string(i));
  EXPECT_FALSE(all);
}

TEST(MaskStream, IsTheSameWhereverItIsCutInTwoOrThree) {
  Masks masks;
  for (const char* secret : {"secret", "ret-val", "aaa", "x"}) masks.add(secret);
  const std::string text = "a secret-val aaaa x secsecret " + base64_encode("my secret") + " sec";
  const std::string whole = masks.mask(text);
  EXPECT_THAT(whole, Not(HasSubstr("secret")));
  for (std::size_t first = 0; first <= text.size(); ++first) {
    for (std::size_t second = first; second <= text.size(); ++second) {
      ASSERT_EQ(in_pieces(masks, text, {first, second}), whole) << first << " " << second;
    }
  }
}

// Texts over a small alphabet, so that secrets overlap each other and themselves all the time.
TEST(MaskStream, NeverLetsASecretThroughProperty) {
  std::mt19937 random(20261124);
  const auto text_of = [&random](std::size_t length) {
    std::string text;
    for (std::size_t i = 0; i < length; ++i) text += static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    Masks masks;
    std::vector<std::string> secrets;
    for (std::size_t i = 0; i < 1 + random() % 4; ++i) {
      secrets.push_back(text_of(1 + random() % 6));
      masks.add(secrets.back());
    }
    const std::string text = text_of(random() % 60);
    std::vector<std::size_t> cuts;
    for (std::size_t at = 0; at < text.size(); at += 1 + random() % 5) cuts.push_back(at);
    const std::string out = in_pieces(masks, text, cuts);
    ASSERT_EQ(out, masks.mask(text)) << text;
    for (const std::string& secret : secrets) ASSERT_EQ(out.find(secret), std::string::npos) << text << " " << secret;
    // And nothing else is hidden: what is outside of all occurrences stays.
    std::string expected;
    std::vector<bool> hidden(text.size());
    for (const std::string& secret : secrets) {
      for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 1)) {
        std::fill_n(hidden.begin() + static_cast<std::ptrdiff_t>(at), secret.size(), true);
      }
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!hidden[i]) expected += text[i];
      if (hidden[i] && (i == 0 || !hidden[i - 1])) expected += "***";
    }
    ASSERT_LE(out.size(), text.size() * 3);
    // base64 forms of such short texts do not occur in lower-case letters a to c often, but may hide more.
    ASSERT_TRUE(out == expected || out.size() <= expected.size() + 3) << text;
  }
}

}  // namespace
}  // namespace kaapi::actions::runner
