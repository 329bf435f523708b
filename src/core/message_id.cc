#include "core/message_id.h"

namespace opelog {

// An id is never changed nor given to another event.
const std::vector<std::pair<std::string_view, std::string_view>>& message_ids() {
  static const std::vector<std::pair<std::string_view, std::string_view>> kIds{
      {"daemon-start", "b353321aca024656bf724f45f6a59eda"},
      {"daemon-stop", "c6dd3d1246d34096879dde01fa31973d"},
      {"policy-rejected", "ef93960d20374a83ad0de27dae76139d"},
      {"session-start", "0708439aa5024879bc55ed6d5e35051f"},
      {"session-end", "7d8934e82a7c4355848f2ed26b188bfe"},
      {"session-resumed", "bf123de6689e46d78a41ef2abebad593"},
      {"session-lost", "fe6c27b2e723426c98c9c8d2195c7bb0"},
      {"store-full", "1b045f42a387484ab4b31eced78cfe0c"},
      {"login-refused", "21f316e68926447db40a3cb4b119ff1c"},
      {"login-unrecorded", "8d51eb54f8684e268166de5d215d7b47"},
      {"terminal-unrecorded", "dec2686587a74a32ac9b75f4a71f4bb0"},
      {"connection-unrecorded", "f6f67db68fa94d29b84a0918e4da2cc6"},
      {"record-failed", "12930dcba485403e92c30eab56ead089"},
      {"record-resumed", "ef918acaed4843f48daa8d55148a167c"},
      {"output-limited", "777a3b5e8d674e5eaac1662d238985de"},
      {"disk-low", "c35debf974b24aecb3a7b02556b66756"},
      {"recording-repaired", "84fab32cb79744b6b4246f5fe2b304cb"},
      {"recordings-degraded", "5bf22d60dd084f31938a48b9d1f4f1a7"},
      {"guard-changed", "409b6a3df9ac4d4bbf5cff5bff98e4b6"},
      {"guard-missing", "62536499c74545d8bdcd80e571066ba6"},
      {"guard-replaced", "62fb68d2a4a94ecb9f30e85f77d2e5cb"},
      {"guard-flag-lost", "cb55c9837e3b4947aecd7a8cec5df8c5"},
      {"guard-overflow", "6ea04de506154e0792e52850eacb971c"},
      {"ledger-failed", "bc4ff65ce91a41ca87d3fdf6aa728c22"},
      {"ledger-damaged", "55ac39dc5dd94b93949bfa5379f723ee"},
      {"unsealed", "3e4089cc497c4eb1bd4e783781629fc5"},
      {"clock-set", "aa83e05b7f70422da19a135c6382d1fb"},
      {"recording-pruned", "07b0879a83fb4f5ba966c15d65b16eed"},
      {"exec-degraded", "aea7f41ff4e245dc8709da1bbebb6476"},
      {"exec-unavailable", "dcc0197d912b47c0b8c224536868399b"},
  };
  return kIds;
}

std::string_view message_id(std::string_view event) noexcept {
  for (const auto& [name, id] : message_ids())
    if (name == event) return id;
  return {};
}

}  // namespace opelog
