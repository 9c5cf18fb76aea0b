import Foundation
import Runtime
import TestSupport
import Testing

/// Signatures and checksums of a release, made and verified by the scripts that users run.
@Suite struct ReleaseTests {
    fileprivate static let packaging = "\(ReferenceTests.root)/packaging"

    private struct Release {
        let directory = TemporaryDirectory()
        var folder: String { directory.file("out") }
        var trusted: String { directory.file("trusted.pub") }

        init() throws {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: false)
            for (name, content) in [
                ("tribune_0.2.0-1_amd64.deb", "package"), ("tribune-0.2.0-linux-amd64.tar.gz", "archive"),
                ("tribune-0.2.0-amd64.cdx.json", "{}"), ("with space.txt", "notes"),
            ] { directory.write(content, to: "out/\(name)") }
            let made = try TribuneProgram.run(program: [
                "openssl", "genpkey", "-algorithm", "ed25519", "-out", directory.file("release.key"),
            ])
            #expect(made.exit == .code(0), "\(made.errors)")
            let signed = try TribuneProgram.run(program: [
                "\(ReleaseTests.packaging)/sign.sh", folder, directory.file("release.key"),
            ])
            #expect(signed.exit == .code(0), "\(signed.errors)")
            try FileManager.default.copyItem(atPath: "\(folder)/release.pub", toPath: trusted)
        }

        func verify() throws -> (isValid: Bool, text: String) {
            let result = try TribuneProgram.run(program: ["\(ReleaseTests.packaging)/verify.sh", folder, trusted])
            return (result.exit == .code(0), result.output + result.errors)
        }

        var files: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder).sorted()) ?? [] }
    }

    @Test func aReleaseIsVerified() throws {
        let release = try Release()
        let result = try release.verify()
        #expect(result.isValid && result.text.contains("4 files"), "\(result.text)")
    }

    /// One bit of any file, the list and the signature among them.
    @Test func aChangedByteIsFound() throws {
        let release = try Release()
        #expect(release.files.count == 7)
        for name in release.files where name != "release.pub" {
            let path = "\(release.folder)/\(name)"
            let sound = try Data(contentsOf: URL(fileURLWithPath: path))
            for place in [0, sound.count / 2, sound.count - 1] {
                var bytes = sound
                bytes[place] ^= 1
                try bytes.write(to: URL(fileURLWithPath: path))
                let result = try release.verify()
                #expect(!result.isValid, "byte \(place) of \(name)")
                let named = name.hasPrefix("SHA256SUMS") ? "SHA256SUMS is not signed" : name
                #expect(result.text.contains(named), "\(result.text)")
            }
            try sound.write(to: URL(fileURLWithPath: path))
        }
        #expect(try release.verify().isValid)
    }

    @Test func filesThatAreMissingOrNotListedAreFound() throws {
        let release = try Release()
        release.directory.write("x", to: "out/extra.deb")
        #expect(try release.verify().text.contains("extra.deb is not in SHA256SUMS"))
        try FileManager.default.removeItem(atPath: "\(release.folder)/extra.deb")
        try FileManager.default.removeItem(atPath: "\(release.folder)/with space.txt")
        let result = try release.verify()
        #expect(!result.isValid && result.text.contains("with space.txt"), "\(result.text)")
    }

    /// Whoever signs everything again with a key of their own is found by the trusted key.
    @Test func anotherKeyIsRefused() throws {
        let release = try Release()
        let key = release.directory.file("other.key")
        let made = try TribuneProgram.run(program: ["openssl", "genpkey", "-algorithm", "ed25519", "-out", key])
        #expect(made.exit == .code(0))
        release.directory.write("changed", to: "out/tribune_0.2.0-1_amd64.deb")
        #expect(try TribuneProgram.run(program: ["\(Self.packaging)/sign.sh", release.folder, key]).exit == .code(0))
        let result = try release.verify()
        #expect(!result.isValid && result.text.contains("not signed with the key"), "\(result.text)")
    }
}
