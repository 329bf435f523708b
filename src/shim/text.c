#include "shim/text.h"

#include <stdlib.h>
#include <string.h>

static bool is_plain(const char* word) {
  static const char plain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
      "_@%+=:,./-";
  return word[0] != '\0' && word[strspn(word, plain)] == '\0';
}

/* 'a' becomes 'a', a quote inside becomes '\'' : four bytes at most for one. */
static char* append_quoted(char* out, const char* word) {
  if (is_plain(word)) {
    size_t length = strlen(word);
    memcpy(out, word, length);
    return out + length;
  }
  *out++ = '\'';
  for (; *word != '\0'; ++word) {
    if (*word == '\'') {
      memcpy(out, "'\\''", 4);
      out += 4;
    } else {
      *out++ = *word;
    }
  }
  *out++ = '\'';
  return out;
}

char* opelog_join_words(const char* first, char* const words[]) {
  size_t need = 1 + (first != NULL ? strlen(first) : 0);
  for (size_t i = 0; words[i] != NULL; ++i) need += strlen(words[i]) * 4 + 3;
  char* text = malloc(need);
  if (text == NULL) return NULL;
  char* out = text;
  if (first != NULL) {
    memcpy(out, first, strlen(first));
    out += strlen(first);
  }
  for (size_t i = 0; words[i] != NULL; ++i) {
    if (out != text) *out++ = ' ';
    out = append_quoted(out, words[i]);
  }
  *out = '\0';
  return text;
}

void opelog_make_safe(char* text, size_t length) {
  for (size_t i = 0; i < length; ++i) {
    unsigned char c = (unsigned char)text[i];
    if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) text[i] = '?';
    /* C1 as UTF-8: C2 80 .. C2 9F. */
    if (c == 0xc2 && i + 1 < length && (unsigned char)text[i + 1] >= 0x80 &&
        (unsigned char)text[i + 1] < 0xa0)
      text[i] = text[i + 1] = '?';
    /* A bare C1 byte, for terminals in an 8-bit mode: no valid UTF-8 sequence begins with it, but one
     * continues with it, so only those not preceded by a byte >= 0x80 are replaced. */
    if (c >= 0x80 && c < 0xa0 && (i == 0 || (unsigned char)text[i - 1] < 0x80)) text[i] = '?';
  }
}

bool opelog_is_printable_ascii(const char* text, size_t length) {
  for (size_t i = 0; i < length; ++i)
    if (text[i] < 0x20 || text[i] > 0x7e) return false;
  return true;
}
