#include "replay/export_html.h"

#include <string_view>

#include "core/clock.h"
#include "core/fact.h"
#include "replay/export_text.h"

namespace opelog::replay {
namespace {

// Styles only, and only those of the page; no address at all may be loaded or sent to.
constexpr std::string_view kHtmlPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

constexpr std::string_view kHtmlStyle =
    "body{font-family:sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222;background:#fff}"
    "dl{display:grid;grid-template-columns:max-content auto;gap:.2em 1em}dt{color:#555}dd{margin:0}"
    "main,pre,li{font-family:monospace}"
    "p{margin:0;display:grid;grid-template-columns:6em auto}"
    "p "
    "span,pre,dd,li{white-space:pre-wrap;overflow-wrap:anywhere;direction:ltr;unicode-bidi:isolate-override}"
    "time{color:#888;-webkit-user-select:none;user-select:none}"
    ".command{background:#eef4ff;border-left:.2em solid #36c}.gap{background:#fff0e0;border-left:.2em solid "
    "#c60}"
    "pre{margin:.3em 0 .3em 6em;padding:.5em;border:1px solid #ccc;overflow:auto}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}a{color:#8ab4f8}"
    ".command{background:#1c2740}.gap{background:#402a10}}";

void append_fact(std::string& out, std::string_view name, const std::string& value) {
  if (value.empty()) return;
  out += "<dt>";
  out += name;
  out += "</dt><dd>";
  append_html(out, printable(value));
  out += "</dd>\n";
}

}  // namespace

std::string HtmlWriter::time(std::int64_t at_us) const {
  return "<time>" + elapsed_text(at_us - from_us()) + "</time>";
}

void HtmlWriter::head(const ExportHeader& header, ExportBytes& out) {
  const format::SessionInfo& info = header.info;
  std::string& page = out.main;
  std::string title;
  append_html(title, export_title(header));
  page += "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  page += "<meta http-equiv=\"Content-Security-Policy\" content=\"";
  page += kHtmlPolicy;
  page += "\">\n<meta name=\"referrer\" content=\"no-referrer\">\n";
  page += "<meta name=\"viewport\" content=\"width=device-width\">\n";
  page += "<title>" + title + "</title>\n<style>";
  page += kHtmlStyle;
  page += "</style>\n</head>\n<body>\n<h1>" + title + "</h1>\n<dl>\n";
  append_fact(page, "session", info.id);
  append_fact(page, "user", info.user);
  append_fact(page, "from", info.client + (info.client_claimed ? " (claimed by the client)" : ""));
  append_fact(page, "host", info.host);
  if (info.started != 0) append_fact(page, "started", format_utc(info.started, 0));
  if (!header.whole) append_fact(page, "this part", "from " + elapsed_text(header.from_us) + " on");
  append_fact(page, "shell", info.shell);
  append_fact(page, "command", info.command.value_or(""));
  append_fact(page, "terminal", info.term);
  page += "</dl>\n<main>\n";
}

void HtmlWriter::entry(const TranscriptEntry& entry, ExportBytes& out) {
  std::string& page = out.main;
  if (entry.kind == TranscriptEntry::Kind::kLine) {
    page +=
        "<p>" + (entry.begin_us >= 0 && !entry.continues ? time(entry.begin_us) : "<time></time>") + "<span>";
    append_html(page, entry.text);
    page += "</span></p>\n";
    return;
  }
  page += "<details><summary>full screen until " + elapsed_text(entry.end_us - from_us()) +
          ", as it stood last</summary><pre>\n";  // a line feed behind <pre> is not shown
  for (const std::string& row : entry.screen) {
    append_html(page, row);
    page += '\n';
  }
  page += "</pre></details>\n";
}

void HtmlWriter::between(const ExportEvent& event, ExportBytes& out) {
  const bool command = event.kind == ExportEvent::Kind::kCommand;
  std::string& page = out.main;
  const std::string text = printable(event.bytes);
  page += command ? "<p class=\"command\" id=\"c" + std::to_string(++commands_) + "\">"
                  : std::string("<p class=\"gap\">");
  page += time(event.at_us) + "<span>";
  append_html(page, text);
  page += "</span></p>\n";
  if (!command || listed_.size() + 1 != commands_ || listed_bytes_ + text.size() > kMaxListedBytes) return;
  listed_bytes_ += text.size() + sizeof(Listed);
  listed_.push_back({event.at_us, text});
}

void HtmlWriter::foot(const ExportEvent* end, ExportBytes& out) {
  std::string& page = out.main;
  page += "</main>\n";
  if (end != nullptr) {
    page += "<p>" + time(end->at_us) + "<span>";
    append_html(page, printable(end->bytes));
    page += "</span></p>\n";
  }
  if (!listed_.empty()) {
    page += "<h2>Commands</h2>\n<ol>\n";
    for (std::size_t i = 0; i < listed_.size(); ++i) {
      page += "<li><a href=\"#c" + std::to_string(i + 1) + "\">" +
              elapsed_text(listed_[i].at_us - from_us()) + "</a> ";
      append_html(page, listed_[i].text);
      page += "</li>\n";
    }
    page += "</ol>\n";
    if (commands_ > listed_.size())
      page += "<p>and " + std::to_string(commands_ - listed_.size()) + " more, at their places above</p>\n";
  }
  page += "</body>\n</html>\n";
}

}  // namespace opelog::replay
