internal import Glibc
internal import JSON
internal import Rollback
internal import Runtime

/// Streaks and trips of a plan's rules, stored so that a restart does not reset them.
///
/// Not synced to disk: it must survive the end of the process, and the page cache does. After a power failure the file
/// may be an older one, or none, with which the rules begin again; decisions are in the journal, and a trip that they
/// do not explain counts again.
struct RuleTrackFile: Sendable {
    let path: String

    /// Replaces the file.
    func write(_ rules: [String: RollbackRule]) {
        let json = JSON.object(rules.sorted { $0.key < $1.key }.map { JSON.Member($0.key, $0.value.json) })
        guard FileText.write(json.encoded, to: path + ".new") else { return }
        unsafe rename(path + ".new", path)
    }

    /// The stored rules; empty if there is no file or it cannot be read.
    func read() -> [String: RollbackRule] {
        // The reason does not matter: without the file every rule begins again.
        guard let text = FileText.read(path), let json = try? JSON(parsing: text) else { return [:] }
        var rules: [String: RollbackRule] = [:]
        for member in json.members ?? [] { rules[member.name] = RollbackRule(member.value) }
        return rules
    }
}
