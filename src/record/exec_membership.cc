#include "record/exec_membership.h"

namespace opelog::record {

bool ExecMembership::join(std::int64_t pid, std::uint64_t session, Membership membership, MonoUs now) {
  if (members_.size() >= kMaxMembers && members_.count(pid) == 0) return false;
  Member member;
  member.session = session;
  member.since = member.taken_in = now;
  member.quiet = membership == Membership::kChildrenOnly;
  members_[pid] = member;
  return true;
}

ExecMembership::Step ExecMembership::step(const ConnectorEvent& event) {
  const auto when = static_cast<MonoUs>(event.time_ns / 1000);
  const auto found = members_.find(event.process);
  switch (event.kind) {
    case ConnectorEvent::Kind::kFork: {
      if (event.thread != event.process) {
        if (found != members_.end()) ++found->second.threads;
        return {};
      }
      if (found != members_.end()) {
        if (when <= found->second.taken_in) return {};  // its own, told late
        members_.erase(found);  // whoever had the number before is gone, even if nobody told us
      }
      const auto parent = members_.find(event.parent);
      if (parent == members_.end()) return {};
      const std::uint64_t session = parent->second.session;
      if (members_.size() >= kMaxMembers) return {Step::Kind::kFull, session, event.process, event.parent};
      Member child;
      child.session = session;
      child.parent = event.parent;
      child.since = child.taken_in = when;
      members_.emplace(event.process, child);
      return {};
    }
    case ConnectorEvent::Kind::kExec: {
      if (found == members_.end()) return {};
      Member& member = found->second;
      member.since = when;
      ++member.execs;
      if (member.quiet) return {};
      return {Step::Kind::kExec, member.session, event.process, member.parent, 0, member.execs};
    }
    case ConnectorEvent::Kind::kExit: {
      if (found == members_.end() || when < found->second.taken_in) return {};
      Member& member = found->second;
      if (event.thread == event.process) member.status = event.status;
      if (member.threads > 1) {
        --member.threads;
        return {};
      }
      const Step step{Step::Kind::kExit, member.session, event.process,      member.parent,
                      member.status,     member.execs,   when - member.since};
      const bool quiet = member.quiet;
      members_.erase(found);
      return quiet ? Step{} : step;
    }
  }
  return {};
}

std::vector<std::uint64_t> ExecMembership::retain(const std::function<bool(std::int64_t)>& alive) {
  std::vector<std::uint64_t> sessions;
  for (auto it = members_.begin(); it != members_.end();) {
    if (alive(it->first)) {
      ++it;
      continue;
    }
    if (!it->second.quiet) sessions.push_back(it->second.session);
    it = members_.erase(it);
  }
  return sessions;
}

bool ExecMembership::adopt(std::int64_t pid, std::int64_t parent, MonoUs now) {
  const auto above = members_.find(parent);
  if (above == members_.end() || members_.count(pid) > 0 || members_.size() >= kMaxMembers) return false;
  Member child;
  child.session = above->second.session;
  child.parent = parent;
  child.since = child.taken_in = now;
  members_.emplace(pid, child);
  return true;
}

}  // namespace opelog::record
