import Runtime
import TestSupport
import Testing

/// `history.syslog` in a `tribune.yml`.
@Suite struct SyslogConfigurationTests {
    private func check(_ syslog: String) throws -> String {
        let directory = TemporaryDirectory()
        directory.write("global: {}\n", to: "prometheus.yml")
        directory.write("prometheus_config: prometheus.yml\nhistory:\n  syslog: \(syslog)\n", to: "tribune.yml")
        let result = try TribuneProgram.run(["check", "config", directory.file("tribune.yml")])
        return result.output + result.errors
    }

    @Test(arguments: [
        ("[{address: logs}]", "3:22: history.syslog[0].address: expected udp://HOST:PORT, tcp://HOST:PORT"),
        ("[{address: 'udp://a', tls_config: {}}]", "3:45: history.syslog[0].tls_config: only tls:// has TLS settings"),
        ("[{address: 'tcp://a', kinds: [nope]}]", "history.syslog[0].kinds: no ledger entry has the kind \"nope\""),
        ("[{address: 'tcp://a', facility: mail}]", "history.syslog[0].facility: expected one of user, daemon"),
        (
            "[{address: 'tcp://a'}, {address: 'tcp://a'}]",
            "history.syslog[1].address: the address tcp://a is given twice"
        ),
        (
            "[{address: 'tcp://a', max_message_bytes: 10}]",
            "history.syslog[0].max_message_bytes: must be 480 to 1048576"
        ),
        ("[{address: 'tcp://a', timeout: 1h}]", "history.syslog[0].timeout: must be a duration of 100ms to 5m"),
        ("[{kinds: [violation]}]", "history.syslog[0]: the field \"address\" is required"),
        ("[{address: 'tcp://a', foo: 1}]", "history.syslog[0].foo: unknown field \"foo\""),
        (
            "[\(Array(repeating: "{address: 'tcp://a'}", count: 9).joined(separator: ", "))]",
            "more than 8 syslog servers"
        ),
    ]) func `a fault is named with its place`(syslog: String, message: String) throws {
        let text = try check(syslog)
        #expect(text.contains("FAILED") && text.contains(message), "\(text)")
    }

    @Test func `every transport is accepted`() throws {
        let text = try check(
            "[{address: 'tls://logs.example', facility: local3, kinds: [violation, decision], max_message_bytes: 65536}, "
                + "{address: 'tcp://logs.example:601'}, {address: 'udp://10.0.0.1:514'}, {address: 'unix:///dev/log'}]")
        #expect(text.contains("SUCCESS"), "\(text)")
    }

    @Test func `with --require-tls a server elsewhere needs TLS`() throws {
        let directory = TemporaryDirectory()
        directory.write("global: {}\n", to: "prometheus.yml")
        directory.write(
            "prometheus_config: prometheus.yml\nhistory: {syslog: [{address: 'udp://logs.example'}]}\n",
            to: "tribune.yml")
        let result = try TribuneProgram.run([
            "serve", "--config.file=\(directory.file("tribune.yml"))", "--require-tls",
            "--storage.path=\(directory.file("data"))", "--web.listen-address=127.0.0.1:\(Loopback.freePort())",
        ])
        #expect(result.exit == .code(1) && result.errors.contains("udp://logs.example must be tls://"), "\(result)")
    }
}
