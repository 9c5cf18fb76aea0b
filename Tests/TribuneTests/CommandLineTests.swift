import Runtime
import TestSupport
import Testing

@Suite struct CommandLineTests {
    @Test func helpListsEveryCommand() throws {
        let result = try TribuneProgram.run(["--help"])
        #expect(result.exit == .code(0))
        for command in ["version", "query instant", "demo-service"] {
            #expect(result.output.contains("\n  \(command)"))
        }
    }

    @Test func everyCommandExplainsItself() throws {
        let list = try TribuneProgram.run(["--help"]).output
        let names = list.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }.map { line in
            line.dropFirst(2).split(separator: "  ", maxSplits: 1)[0].split(separator: " ").map(String.init)
        }
        #expect(!names.isEmpty)
        for name in names {
            let result = try TribuneProgram.run(name + ["--help"])
            #expect(result.exit == .code(0))
            #expect(result.output.contains("Usage: tribune \(name.joined(separator: " "))"))
        }
    }

    @Test(
        arguments: [
            ([], "Usage: tribune COMMAND"),
            (["frobnicate"], "unknown command 'frobnicate'"),
            (["query"], "tribune query needs one of these words"),
            (["query", "instant"], "an operand is missing"),
            (["version", "--nope"], "unknown option --nope"),
            (["demo-service", "--port"], "--port needs a value"),
            (["demo-service", "--port=x"], "--port must be a number"),
            (["serve", "--storage.path="], "--storage.path must not be empty"),
            (["serve", "--config.file="], "--config.file must not be empty"),
            (["query", "range", "http://127.0.0.1:1", "up"], "--start and --end are needed"),
        ] as [([String], String)])
    func wrongUsageIsExplainedAndEndsWithTwo(arguments: [String], message: String) throws {
        let result = try TribuneProgram.run(arguments)
        #expect(result.exit == .code(2))
        #expect(result.errors.contains(message))
        #expect(result.output.isEmpty)
    }

    @Test func anUnreachableServerIsOneClearLine() throws {
        let port = Loopback.freePort()
        let result = try TribuneProgram.run(["query", "instant", "http://127.0.0.1:\(port)", "up"])
        #expect(result.exit == .code(1))
        #expect(result.errors.split(separator: "\n").count == 1)
        #expect(result.errors.contains("onnect"))
    }

    @Test func versionIsOneLine() throws {
        #expect(try TribuneProgram.run(["version"]).output.hasPrefix("tribune 0."))
        #expect(try TribuneProgram.run(["--version"]).output.hasPrefix("tribune 0."))
    }
}
