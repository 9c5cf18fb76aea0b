import Glibc
import Runtime
import TestSupport

/// The program that was built beside these tests, run as a user runs it.
enum TribuneProgram {
    /// Its path.
    static let path: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let test = String(decoding: buffer[..<max(0, length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(test[..<(test.lastIndex(of: "/") ?? test.startIndex)]) + "/tribune"
    }()

    /// The result of a run.
    struct Result {
        var exit: ChildProcess.Exit
        var output: String
        var errors: String
    }

    /// Runs it to its end, which must come within `seconds`.
    static func run(
        _ arguments: [String], input: String? = nil, seconds: Int64 = 60
    ) throws -> Result {
        try run(program: [path] + arguments, input: input, seconds: seconds)
    }

    /// Runs any program to its end, which must come within `seconds`.
    static func run(program arguments: [String], input: String? = nil, seconds: Int64 = 60) throws -> Result {
        let directory = TemporaryDirectory()
        let inputFile = input.map { directory.write($0, to: "in") }
        let child = try ChildProcess(
            arguments, input: inputFile, output: .file(directory.file("out")),
            errors: .file(directory.file("err")))
        let exit = child.wait(milliseconds: seconds * 1000) ?? child.stop()
        return Result(
            exit: exit, output: FileText.read(directory.file("out")) ?? "",
            errors: FileText.read(directory.file("err")) ?? "")
    }
}
