#include "seal/evidence_proof.h"

#include <utility>

#include "format/json_text.h"
#include "seal/base64.h"

namespace opelog::seal {
namespace {

using format::JsonValue;

constexpr std::string_view kEvidenceFormat = "opelog-evidence/1";

std::string json_list(const std::vector<std::string>& items) {
  std::string list = "[";
  for (const std::string& item : items) list += (list.size() > 1 ? "," : "") + item;
  return list + "]";
}

std::optional<ProvenEntry> parse_proven(const JsonValue& value) {
  const JsonValue* line = value.find("line");
  const JsonValue* path = value.find("proof");
  if (line == nullptr || line->kind != JsonValue::Kind::kText || path == nullptr ||
      path->kind != JsonValue::Kind::kArray)
    return std::nullopt;
  ProvenEntry entry;
  entry.line = line->string;
  for (const JsonValue& item : path->items) {
    Digest digest{};
    if (item.kind != JsonValue::Kind::kText || !from_base64(item.string, digest)) return std::nullopt;
    entry.path.push_back(digest);
  }
  return entry;
}

}  // namespace

std::string encode_proof(const EvidenceProof& proof) {
  std::vector<std::string> entries;
  for (const ProvenEntry& entry : proof.entries) {
    std::vector<std::string> path;
    for (const Digest& digest : entry.path) path.push_back("\"" + to_base64(digest) + "\"");
    format::JsonObject json;
    json.text("line", entry.line).raw("proof", json_list(path));
    entries.push_back(std::move(json).take());
  }
  format::JsonObject json;
  json.text("format", kEvidenceFormat).text("recording", proof.recording).raw("entries", json_list(entries));
  return std::move(json).take() + "\n";
}

std::optional<EvidenceProof> parse_proof(std::string_view text) {
  if (text.size() > kMaxProofBytes || text.empty() || text.back() != '\n') return std::nullopt;
  const auto json = format::parse_json(text.substr(0, text.size() - 1));
  if (!json || json->text_or("format", "") != kEvidenceFormat) return std::nullopt;
  EvidenceProof proof;
  proof.recording = json->text_or("recording", "");
  const JsonValue* entries = json->find("entries");
  if (proof.recording.empty() || proof.recording.find('/') != std::string::npos || entries == nullptr ||
      entries->kind != JsonValue::Kind::kArray || entries->items.size() > kMaxProvenEntries)
    return std::nullopt;
  for (const JsonValue& item : entries->items) {
    auto entry = parse_proven(item);
    if (!entry) return std::nullopt;
    proof.entries.push_back(std::move(*entry));
  }
  if (encode_proof(proof) != text) return std::nullopt;
  return proof;
}

}  // namespace opelog::seal
