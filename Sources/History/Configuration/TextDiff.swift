/// The difference of two texts, line by line, in the form of `diff -u` without headers.
enum TextDiff {
    /// Lines of context around a change.
    private static let context = 2
    /// Largest table of the longest common subsequence; larger regions count as replaced.
    private static let tableLimit = 4_000_000

    /// The lines that differ: `-` for old ones, `+` for new ones, a space for context. Empty for equal texts.
    static func text(_ old: String, _ new: String) -> String {
        let old = old.split(separator: "\n", omittingEmptySubsequences: false)
        let new = new.split(separator: "\n", omittingEmptySubsequences: false)
        let prefix = zip(old, new).prefix { $0 == $1 }.count
        let suffix = zip(old.dropFirst(prefix).reversed(), new.dropFirst(prefix).reversed()).prefix { $0 == $1 }.count
        let edits = edits(old[prefix..<old.count - suffix], new[prefix..<new.count - suffix])
        if edits.isEmpty { return "" }
        let before = old[max(0, prefix - context)..<prefix].map { " " + $0 }
        let after = old[old.count - suffix..<min(old.count, old.count - suffix + context)].map { " " + $0 }
        let header = "@@ -\(prefix + 1),\(old.count - suffix - prefix) +\(prefix + 1),\(new.count - suffix - prefix) @@"
        return ([header] + before + shortened(edits) + after).joined(separator: "\n")
    }

    private static func edits(_ old: ArraySlice<Substring>, _ new: ArraySlice<Substring>) -> [String] {
        guard old.count * new.count <= tableLimit, !old.isEmpty, !new.isEmpty else {
            return old.map { "-" + $0 } + new.map { "+" + $0 }
        }
        let (old, new) = (Array(old), Array(new))
        let width = new.count + 1
        var table = [Int32](repeating: 0, count: (old.count + 1) * width)
        for i in old.indices.reversed() {
            for j in new.indices.reversed() {
                table[i * width + j] =
                    old[i] == new[j]
                    ? table[(i + 1) * width + j + 1] + 1 : max(table[(i + 1) * width + j], table[i * width + j + 1])
            }
        }
        var edits: [String] = []
        var (i, j) = (0, 0)
        while i < old.count || j < new.count {
            if i < old.count, j < new.count, old[i] == new[j] {
                edits.append(" " + old[i])
                (i, j) = (i + 1, j + 1)
            } else if j == new.count || i < old.count && table[(i + 1) * width + j] >= table[i * width + j + 1] {
                edits.append("-" + old[i])
                i += 1
            } else {
                edits.append("+" + new[j])
                j += 1
            }
        }
        return edits
    }

    /// `edits` with long runs of unchanged lines replaced by `…`.
    private static func shortened(_ edits: [String]) -> [String] {
        var result: [String] = []
        var run: [String] = []
        func endRun() {
            if run.count > context * 2 + 1 {
                result += run.prefix(context) + [" …"] + run.suffix(context)
            } else {
                result += run
            }
            run = []
        }
        for edit in edits {
            if edit.first == " " {
                run.append(edit)
                continue
            }
            endRun()
            result.append(edit)
        }
        endRun()
        return result
    }
}
