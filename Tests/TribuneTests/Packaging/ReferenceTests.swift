import Foundation
import Runtime
import TestSupport
import Testing

/// Manual pages, completions and the page of commands, made from the table of commands.
@Suite struct ReferenceTests {
    /// The directory of the project.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    private func commands() throws -> [String] {
        try TribuneProgram.run(["--help"]).output.split(separator: "\n")
            .filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
            .map { String($0.dropFirst(2).split(separator: "  ", maxSplits: 1)[0]) }
    }

    private func options(of command: String) throws -> [String] {
        let words = command.split(separator: " ").map(String.init)
        return try TribuneProgram.run(words + ["--help"]).output.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("  --") else { return nil }
            return String(line.dropFirst(4).prefix { $0 != "=" && $0 != " " })
        }
    }

    @Test func everyCommandHasAManualPageWithEachOfItsOptions() throws {
        let directory = TemporaryDirectory()
        #expect(try TribuneProgram.run(["reference", "man", directory.file("man")]).exit == .code(0))
        let names = try commands()
        #expect(names.count > 20)
        for command in names {
            let page = directory.file("man/tribune-\(command.replacing(" ", with: "-")).1")
            let text = try #require(FileText.read(page), "no page for \(command)")
            for option in try options(of: command) {
                #expect(text.contains("\\-\\-" + option.replacing("-", with: "\\-")), "\(command) --\(option)")
            }
        }
        #expect(try #require(FileText.read(directory.file("man/tribune.1"))).contains("tribune\\-serve"))
    }

    @Test func manualPagesAreWellFormed() throws {
        let directory = TemporaryDirectory()
        #expect(try TribuneProgram.run(["reference", "man", directory.file("man")]).exit == .code(0))
        let pages = try FileManager.default.contentsOfDirectory(atPath: directory.file("man"))
            .map { directory.file("man/\($0)") }
        let lint = try TribuneProgram.run(program: ["mandoc", "-T", "lint", "-W", "warning"] + pages)
        #expect(lint.exit == .code(0), "\(lint.output)\(lint.errors)")
    }

    /// The completions of bash for the last of `words`.
    private func offered(_ words: [String]) throws -> [String] {
        let list = words.map { "'\($0)'" }.joined(separator: " ")
        let script = """
            set -u; source <("$0" completion bash)
            COMP_WORDS=(\(list)); COMP_CWORD=\(words.count - 1)
            _tribune; printf '%s\\n' "${COMPREPLY[@]}"
            """
        let result = try TribuneProgram.run(program: ["bash", "-c", script, TribuneProgram.path])
        #expect(result.errors.isEmpty, "\(result.errors)")
        return result.output.split(separator: "\n").map(String.init)
    }

    @Test func bashCompletesCommandsOptionsAndFiles() throws {
        let first = try offered(["tribune", ""])
        for command in try commands() {
            let words = command.split(separator: " ").map(String.init)
            #expect(first.contains(words[0]), "\(command)")
            if words.count > 1 { #expect(try offered(["tribune", words[0], ""]).contains(words[1]), "\(command)") }
        }
        #expect(try offered(["tribune", "ch"]) == ["check"])
        #expect(
            try offered(["tribune", "serve", "--storage.ret"])
                == ["--storage.retention.time=", "--storage.retention.size="])
        #expect(try offered(["tribune", "check", "config", "/etc/host"]).contains("/etc/hosts"))
        #expect(try offered(["tribune", "serve", "--config.file", "=", "/etc/host"]).contains("/etc/hosts"))
    }

    @Test func fishCompletesCommandsAndOptions() throws {
        let script = """
            $argv[1] completion fish | source
            complete -C 'tribune che'; complete -C 'tribune check '; complete -C 'tribune serve --storage.r'
            """
        let home = TemporaryDirectory()
        let result = try TribuneProgram.run(
            program: ["env", "HOME=\(home.file(""))", "fish", "-c", script, TribuneProgram.path])
        for word in ["check\t", "config\t", "rules\t", "--storage.retention.time"] {
            #expect(result.output.contains(word), "\(word) in \(result.output)\(result.errors)")
        }
    }

    @Test func zshReadsItsCompletion() throws {
        let syntax = try TribuneProgram.run(
            program: ["bash", "-c", #"zsh -n <("$1" completion zsh)"#, "bash", TribuneProgram.path])
        #expect(syntax.exit == .code(0) && syntax.errors.isEmpty, "\(syntax.errors)")
    }

    @Test func anUnknownShellIsRefused() throws {
        let result = try TribuneProgram.run(["completion", "tcsh"])
        #expect(result.exit == .code(2))
        #expect(result.errors.contains("expected bash, zsh or fish"))
    }
}
