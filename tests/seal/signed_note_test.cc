#include "seal/signed_note.h"

#include <gtest/gtest.h>

#include "seal/base64.h"
#include "seal/checkpoint.h"
#include "seal/checkpoint_reader.h"
#include "seal/pins.h"
#include "seal/signing_key_io.h"

namespace opelog::seal {
namespace {

// The example of golang.org/x/mod/sumdb/note, where the format comes from.
constexpr const char* kPeterKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr const char* kPeterNote =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

TEST(SignedNote, TheExampleOfItsInventorsIsVerified) {
  const auto key = parse_verifier_key(kPeterKey);
  ASSERT_TRUE(key);
  EXPECT_EQ(encode_verifier_key(*key), kPeterKey);
  std::size_t used = 0;
  const auto note = parse_signed_note(kPeterNote, used);
  ASSERT_TRUE(note);
  EXPECT_EQ(used, std::string(kPeterNote).size());
  EXPECT_TRUE(is_signed_by(*note, *key));
  EXPECT_EQ(encode_signed_note(*note), kPeterNote);
  SignedNote other = *note;
  other.text[3] = 'Y';
  EXPECT_FALSE(is_signed_by(other, *key));
}

TEST(SignedNote, WhatIsNoneIsNotRead) {
  std::size_t used = 0;
  for (const std::string text :
       {"", "text\n", "text\n\n", "text\n\nno dash x AAAA\n", "text\n\n\xe2\x80\x94 name !!!!\n",
        "text\n\n\xe2\x80\x94 na+me x08go/ZJ\n", "text\n\n\xe2\x80\x94 name AAAA"})
    EXPECT_FALSE(parse_signed_note(text, used)) << text;
  EXPECT_FALSE(parse_verifier_key("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"))
      << "wrong hash";
  EXPECT_FALSE(parse_verifier_key("PeterNeumann+c74f20a3+ARpc2Qc"));
}

TEST(Base64, HasOneSpelling) {
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(from_base64("Zm8="), "fo");
  EXPECT_EQ(from_base64(""), "");
  for (const char* text : {"Zm9=", "Zm8", "Zm8= ", " Zm8=", "Zm8=\n", "Z===", "====", "Zm8=Zm8="})
    EXPECT_FALSE(from_base64(text)) << text;
}

TEST(Checkpoint, ComesBackAndTakesNothingElse) {
  const auto key = SigningKey::generate();
  ASSERT_TRUE(key.ok());
  const Checkpoint c{"opelog/host", 17, sha256("x"), 4, key->public_key(), 1795000000000000};
  const std::string text = encode_checkpoint(c);
  EXPECT_EQ(parse_checkpoint(text), c);
  EXPECT_EQ(parse_checkpoint(text + "further extension\n"), c);
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(parse_checkpoint(text.substr(0, size))) << size;
  std::string other = text;
  other.replace(other.find("17"), 2, "017");
  EXPECT_FALSE(parse_checkpoint(other));
}

TEST(CheckpointReader, ReadsNotesInAnyPiecesAndPassesTornOnes) {
  const auto key = SigningKey::generate();
  ASSERT_TRUE(key.ok());
  std::string file;
  std::vector<std::string> notes;
  for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) {
    SignedNote note{encode_checkpoint({"opelog/host", epoch, {}, epoch, key->public_key(), 0}), {}};
    add_signature(note, epoch_key("opelog/host", key->public_key()), *key->sign(note.text));
    add_signature(note, log_key("opelog/host", key->public_key()), *key->sign(note.text));
    notes.push_back(encode_signed_note(note));
  }
  for (std::size_t torn = 1; torn < notes[1].size(); ++torn) {
    const std::string piece = notes[1].substr(0, torn);
    // A note that lacks only a further signature is whole.
    const bool whole = piece.size() > piece.find("\n\n") + 2 && piece.back() == '\n' &&
                       piece.find("\n\n") != std::string::npos;
    const std::string bytes = notes[0] + piece + (whole ? "" : "~torn\n") + notes[2];
    for (const std::size_t step : {bytes.size(), std::size_t{50}}) {
      CheckpointReader reader;
      std::vector<std::uint64_t> epochs;
      for (std::size_t at = 0; at < bytes.size(); at += step) {
        reader.feed(bytes.substr(at, step));
        while (auto note = reader.next()) epochs.push_back(note->checkpoint ? note->checkpoint->epoch : 0);
      }
      reader.finish();
      while (auto note = reader.next()) epochs.push_back(note->checkpoint ? note->checkpoint->epoch : 0);
      EXPECT_EQ(epochs, (whole ? std::vector<std::uint64_t>{1, 2, 3} : std::vector<std::uint64_t>{1, 3}))
          << torn << " " << step;
      EXPECT_EQ(reader.rest(), "");
    }
  }
}

TEST(Pins, AreReadAndWrongOnesNamedByLine) {
  const std::string text = std::string("# of the auditors\n\n") + kPeterKey + "  # Peter\n" + kPeterKey +
                           " 5 " + to_base64(sha256("")) + "\n";
  const auto pins = parse_pins(text, "pins");
  ASSERT_TRUE(pins.ok());
  ASSERT_EQ(pins->size(), 2U);
  EXPECT_FALSE((*pins)[0].seen);
  EXPECT_EQ((*pins)[1].seen->size, 5U);
  EXPECT_EQ(encode_pin((*pins)[1]), text.substr(text.rfind("Peter\n") + 6));
  EXPECT_EQ(parse_pins("\nhello\n", "pins").error().message.substr(0, 7), "pins:2:");
  EXPECT_FALSE(parse_pins(std::string(kPeterKey) + " 5\n", "p").ok());
  EXPECT_FALSE(
      parse_pins(std::string(kPeterKey) + " 99999999999999999999 " + to_base64(sha256("")) + "\n", "p").ok());
  EXPECT_FALSE(parse_pins(std::string(kPeterKey) + " 5 " + to_base64(sha256("")) + " x\n", "p").ok());
}

}  // namespace
}  // namespace opelog::seal
