internal import Glibc
internal import Runtime

/// The files of a Git repository that a change touches, before and after.
struct RepositoryChanges {
    /// Longer files are refused: nobody writes rules or checks of this size.
    private static let fileLimit = 4 << 20
    private static let countLimit = 5000

    /// A directory of the repository.
    var directory: String
    /// The revision before the change. Empty or all zeros, as for a new branch: the one before HEAD.
    var since: String
    /// Files of other services are left out.
    var service: String?
    /// The names of all services.
    var services: [String]

    /// The changed files. The state after the change is that of the working tree.
    func read() throws(CommandFailure) -> [ConstitutionalCheck.FileChange] {
        let root = try git(["rev-parse", "--show-toplevel"]).split(separator: "\n").first.map(String.init) ?? directory
        let base = try revision()
        let names = try git(["diff", "--no-ext-diff", "--no-renames", "--name-only", "-z", base])
            .split(separator: "\0").map(String.init)
        guard names.count <= Self.countLimit else {
            throw CommandFailure("\(names.count) changed files, at most \(Self.countLimit) are checked")
        }
        var changes: [ConstitutionalCheck.FileChange] = []
        for name in names where isChecked(name) {
            let exists = !(try git(["ls-tree", "--name-only", "--full-tree", base, "--", name])).isEmpty
            let before = exists ? try git(["cat-file", "blob", "\(base):\(name)"]) : nil
            var after: String?
            if Paths.exists("\(root)/\(name)") {
                do throws(FileText.ReadError) {
                    after = String(
                        decoding: try FileText.bytes("\(root)/\(name)", limit: Self.fileLimit), as: UTF8.self)
                } catch {
                    throw CommandFailure(error.description)
                }
            }
            changes.append(.init(path: name, before: before, after: after))
        }
        return changes
    }

    private func isChecked(_ path: String) -> Bool {
        guard let service else { return true }
        let others = services.filter { $0 != service }.flatMap { [$0, "\($0)_service", "\($0)-service"] }
        return !path.split(separator: "/").dropLast().contains { others.contains(String($0)) }
    }

    private func revision() throws(CommandFailure) -> String {
        let isMissing = since.allSatisfy { $0 == "0" }
        let wanted = isMissing ? "HEAD~1" : since
        do throws(CommandFailure) {
            let commit = try git(["rev-parse", "--verify", "--end-of-options", "\(wanted)^{commit}"])
            return String(commit.prefix { !$0.isWhitespace })
        } catch {
            // The first commit of a repository adds everything.
            if isMissing { return "4b825dc642cb6eb9a060e54bf8d69288fbee4904" }
            throw error
        }
    }

    private func git(_ arguments: [String]) throws(CommandFailure) -> String {
        var template = Array("/tmp/tribune-git-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&template)
        guard descriptor >= 0 else { throw CommandFailure("/tmp: \(SystemError.current)") }
        close(descriptor)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let errors = path + ".err"
        defer {
            unsafe unlink(path)
            unsafe unlink(errors)
        }
        let child: ChildProcess
        do throws(ChildProcess.StartError) {
            child = try ChildProcess(
                ["git", "-C", directory] + arguments, output: .file(path), errors: .file(errors))
        } catch {
            throw CommandFailure(error.description)
        }
        guard child.wait() == .code(0) else {
            let reason = FileText.read(errors)?.split(separator: "\n").first.map(String.init) ?? ""
            throw CommandFailure("git \(arguments.joined(separator: " ")): \(reason)")
        }
        return FileText.read(path) ?? ""
    }
}
