#include "CRE2.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <new>
#include <vector>

struct cre2_pattern {
    explicit cre2_pattern(const re2::StringPiece &text, const RE2::Options &options) : expression(text, options) {}
    RE2 expression;
};

cre2_pattern *cre2_compile(const char *pattern, size_t length, char *error, size_t error_capacity) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(true);
    auto *compiled = new (std::nothrow) cre2_pattern(re2::StringPiece(pattern, length), options);
    if (compiled != nullptr && compiled->expression.ok()) return compiled;
    if (error_capacity > 0) {
        std::string reason = compiled == nullptr ? "out of memory" : compiled->expression.error();
        size_t count = std::min(reason.size(), error_capacity - 1);
        std::memcpy(error, reason.data(), count);
        error[count] = '\0';
    }
    delete compiled;
    return nullptr;
}

void cre2_free(cre2_pattern *pattern) { delete pattern; }

int cre2_group_count(const cre2_pattern *pattern) { return pattern->expression.NumberOfCapturingGroups(); }

const char *cre2_group_name(const cre2_pattern *pattern, int index) {
    const auto &names = pattern->expression.CapturingGroupNames();
    auto found = names.find(index);
    return found == names.end() ? nullptr : found->second.c_str();
}

bool cre2_match(const cre2_pattern *pattern, const char *text, size_t length, size_t from, bool anchored,
                cre2_piece *pieces, int piece_count) {
    std::vector<re2::StringPiece> found(static_cast<size_t>(piece_count));
    auto anchor = anchored ? RE2::ANCHOR_BOTH : RE2::UNANCHORED;
    if (!pattern->expression.Match(re2::StringPiece(text, length), from, length, anchor, found.data(), piece_count))
        return false;
    for (int index = 0; index < piece_count; ++index) {
        pieces[index].start = found[static_cast<size_t>(index)].data();
        pieces[index].length = found[static_cast<size_t>(index)].size();
    }
    return true;
}
