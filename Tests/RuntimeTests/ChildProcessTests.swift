import Runtime
import TestSupport
import Testing

@Suite struct ChildProcessTests {
    @Test func exitCodesAndSignalsAreTold() throws {
        #expect(try ChildProcess(["sh", "-c", "exit 7"]).wait() == .code(7))
        #expect(try ChildProcess(["sleep", "60"]).stop() == .signal(15))
    }

    @Test func processesThatIgnoreTheRequestAreKilled() throws {
        let directory = TemporaryDirectory()
        let child = try ChildProcess([
            "sh", "-c", "trap '' TERM; echo ready > \(directory.file("up")); while :; do sleep 1; done",
        ])
        #expect(Loopback.eventually { FileText.read(directory.file("up")) != nil })
        #expect(child.stop(graceMilliseconds: 100) == .signal(9))
    }

    @Test func environmentAndOutputReachTheProcess() throws {
        let directory = TemporaryDirectory()
        let child = try ChildProcess(
            ["sh", "-c", "echo $GREETING; echo no >&2"], environment: ["GREETING": "hello"],
            output: .file(directory.file("out")), errors: .discarded)
        #expect(child.wait() == .code(0))
        #expect(FileText.read(directory.file("out")) == "hello\n")
    }

    @Test func missingProgramsAreReported() {
        let error = #expect(throws: ChildProcess.StartError.self) { try ChildProcess(["/nonexistent/program"]) }
        #expect(error?.description == "cannot start /nonexistent/program: No such file or directory")
    }
}
