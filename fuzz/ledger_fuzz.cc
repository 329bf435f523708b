// What a ledger, its checkpoints, seals, pins and evidence hold, on any bytes: what is read is written again
// as it was read, notes come out the same however the bytes arrive, and nothing reaches beyond them.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "format/session_header.h"
#include "seal/base64.h"
#include "seal/checkpoint_reader.h"
#include "seal/evidence_proof.h"
#include "seal/ledger_entry.h"
#include "seal/pins.h"
#include "seal/seal_record.h"
#include "seal/sealed_timing.h"
#include "seal/signed_note.h"

namespace {

using namespace opelog::seal;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_entry(std::string_view line) {
  const auto entry = parse_entry(line);
  if (!entry) return;
  const std::string text = encode_entry(*entry);
  require(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f && c != '~'; }));
  if (std::holds_alternative<UnknownEntry>(entry->body)) return;
  const auto again = parse_entry(text);
  // Too long only for words that nobody cuts, because it is not the user who chooses them.
  require(again ? encode_entry(*again) == text : text.size() > kMaxEntryBytes);
}

void check_seal(std::string_view json) {
  const auto seal = parse_seal(json);
  if (!seal) return;
  require(seal_message(*seal, {}, {}).size() == kSealMessageBytes);
  auto again = parse_seal(encode_seal(*seal));
  require(again.has_value());
  if (seal->final) again->next = seal->next;  // a final one says none
  require(*again == *seal);
}

struct Notes {
  std::vector<std::string> texts;
  std::uint64_t offset = 0, torn = 0;
  std::string rest;
  bool operator==(const Notes&) const = default;
};

Notes read_notes(std::string_view bytes, std::size_t step) {
  CheckpointReader reader;
  Notes notes;
  const auto take = [&] {
    for (auto found = reader.next(); found; found = reader.next()) {
      require(found->offset < bytes.size());
      const std::string text = encode_signed_note(found->note);
      require(bytes.substr(found->offset, text.size()) == text);
      require(found->checkpoint.has_value() == parse_checkpoint(found->note.text).has_value());
      if (found->checkpoint) {
        const std::string own = encode_checkpoint(*found->checkpoint);
        require(std::string_view(found->note.text).substr(0, own.size()) == own);
      }
      notes.texts.push_back(text);
    }
  };
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    reader.feed(bytes.substr(at, step));
    take();
  }
  reader.finish();
  take();
  notes.offset = reader.offset();
  notes.torn = reader.torn();
  notes.rest = reader.rest();
  require(notes.offset + notes.rest.size() == bytes.size());
  return notes;
}

void check_key(std::string_view text) {
  if (const auto key = parse_verifier_key(text)) {
    const auto again = parse_verifier_key(encode_verifier_key(*key));
    require(again && *again == *key);
  }
  if (const auto bytes = from_base64(text)) require(to_base64(*bytes) == text);
}

void check_pins(std::string_view text) {
  const auto pins = parse_pins(text, "pins");
  if (!pins) {
    require(pins.error().message.rfind("pins", 0) == 0);
    return;
  }
  std::string written;
  for (const Pin& pin : *pins) written += encode_pin(pin);
  const auto again = parse_pins(written, "pins");
  require(again && *again == *pins);
}

void check_timing(std::string_view bytes, std::size_t step) {
  SealedTiming whole, pieces;
  whole.feed(bytes);
  whole.finish();
  for (std::size_t at = 0; at < bytes.size(); at += step) pieces.feed(bytes.substr(at, step));
  pieces.finish();
  require(whole.size == bytes.size() && pieces.size == whole.size);
  require(whole.seals.size() == pieces.seals.size() && whole.opened == pieces.opened &&
          whole.at_us == pieces.at_us);
  std::uint64_t end = 0;
  for (const SealLine& line : whole.seals) {
    require(line.begin >= end && line.end > line.begin && line.end <= bytes.size());
    end = line.end;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t step = 1 + data[0] / 8;
  switch (data[0] % 8) {
    case 0:
    case 1:
      check_entry(bytes);
      break;
    case 2:
      check_seal(bytes);
      break;
    case 3:
      if (read_notes(bytes, bytes.size()) != read_notes(bytes, step)) std::abort();
      break;
    case 4:
      check_key(bytes);
      break;
    case 5:
      check_pins(bytes);
      break;
    case 6:
      check_timing(bytes, step);
      break;
    default:
      // Takes only what it would write.
      if (const auto proof = parse_proof(bytes)) require(encode_proof(*proof) == bytes);
      break;
  }
  return 0;
}
