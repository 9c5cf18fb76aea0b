internal import Glibc
internal import JSON
internal import Rollback
internal import Runtime

/// Streaks and trips of a plan's rules, kept so that a restart does not begin them anew.
///
/// Not forced to disk: it must survive the end of the process, which the page cache does. After a power failure the
/// rules count again, as they would without the file; what was decided stands in the journal.
struct RuleTrackFile: Sendable {
    let path: String

    /// Replaces the file.
    func write(_ rules: [String: RollbackRule]) {
        let json = JSON.object(rules.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value.json) })
        guard FileText.write(json.encoded, to: path + ".new") else { return }
        unsafe rename(path + ".new", path)
    }

    /// What was kept; empty where there is no file or it is none of ours.
    func read() -> [String: RollbackRule] {
        // Nothing depends on the reason: without the file every rule begins anew.
        guard let text = FileText.read(path), let json = try? JSON(parsing: text) else { return [:] }
        var rules: [String: RollbackRule] = [:]
        for member in json.members ?? [] { rules[member.name] = RollbackRule(member.value) }
        return rules
    }
}
