import Foundation
import Runtime
import TestSupport
import Testing

/// The systemd unit, examined by systemd's own tools without a running systemd.
@Suite struct ServiceUnitTests {
    private static let unit = "\(ReferenceTests.root)/packaging/debian/tribune.service"

    static var hasSystemd: Bool {
        let isThere = (try? TribuneProgram.run(program: ["systemd-analyze", "--version"]))?.exit == .code(0)
        if !isThere { print("skipped: systemd-analyze is not installed") }
        return isThere
    }

    @Test(.enabled(if: ServiceUnitTests.hasSystemd)) func exposureIsAtMostTwo() throws {
        let result = try TribuneProgram.run(program: [
            "systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", Self.unit,
        ])
        #expect(result.exit == .code(0), "\(result.output.suffix(300))\(result.errors)")
        #expect(result.output.contains("Overall exposure level"))
    }

    @Test func flagsOfTheDefaultsAreThoseOfServe() throws {
        let defaults = try String(
            contentsOfFile: "\(ReferenceTests.root)/packaging/debian/tribune.default", encoding: .utf8)
        let help = try TribuneProgram.run(["serve", "--help"]).output
        let line = try #require(defaults.split(separator: "\n").first { $0.hasPrefix("ARGS=") })
        let flags = line.dropFirst(6).dropLast().split(separator: " ")
        #expect(flags.count >= 3)
        for flag in flags { #expect(help.contains("\(flag.prefix { $0 != "=" })="), "\(flag)") }
    }

    @Test func theShippedConfigurationIsValid() throws {
        let directory = TemporaryDirectory()
        for name in ["tribune.yml", "prometheus.yml"] {
            let text = try String(contentsOfFile: "\(ReferenceTests.root)/packaging/etc/\(name)", encoding: .utf8)
            directory.write(text, to: name)
        }
        let result = try TribuneProgram.run(["check", "config", directory.file("tribune.yml")])
        #expect(result.exit == .code(0), "\(result.output)\(result.errors)")
    }
}
