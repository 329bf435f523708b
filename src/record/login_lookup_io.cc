#include "record/login_lookup_io.h"

#include <unistd.h>

#include "core/host_id_io.h"

namespace opelog::record {

HostFacts read_host_facts() {
  HostFacts facts;
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) == 0) facts.host = name;
  facts.host_id = machine_id();
  facts.boot_id = boot_id();
  return facts;
}

void look_up(LoginLookup& lookup) {
  auto process = read_process_facts(lookup.peer, lookup.shim_path);
  if (!process) {
    lookup.status = std::move(process).error();
    return;
  }
  lookup.process = std::move(*process);
  lookup.client = find_client_address(lookup.process, lookup.claim);
  // The real uid: the shim is setgid only, so both are the user's.
  auto account = lookup_account(lookup.peer.uid, lookup.groups);
  if (!account) {
    lookup.status = std::move(account).error();
    return;
  }
  lookup.account = std::move(*account);
}

void open_terminal(LoginTerminal& terminal) {
  if (!terminal.given) return;
  auto outer = OuterTerminal::open(terminal.given.get());
  if (outer)
    terminal.outer = std::move(*outer);
  else
    terminal.opened = std::move(outer).error();
}

}  // namespace opelog::record
