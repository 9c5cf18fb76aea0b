import Foundation
import Runtime
import TestSupport
import Testing

@testable import Zlib

@Suite struct ZipArchiveTests {
    /// Names, contents and checksums as Python reads them.
    @Test func anIndependentReaderFindsTheFiles() throws {
        var archive = ZipArchive()
        var generator = SeededGenerator(seed: 3)
        let files: [(String, [UInt8])] = [
            ("empty.txt", []), ("folder/text.txt", Array(String(repeating: "compliance ", count: 9000).utf8)),
            ("folder/ü/bytes", (0..<70_000).map { _ in UInt8.random(in: 0...255, using: &generator) }),
        ]
        for (name, content) in files { try archive.add(name, content) }
        let bytes = archive.finish()
        #expect(bytes.count < 75_000, "text is compressed")
        let directory = TemporaryDirectory()
        try Data(bytes).write(to: URL(filePath: directory.file("a.zip")))
        let test = ["python3", "-m", "zipfile", "-t", directory.file("a.zip")]
        #expect(try ChildProcess(test).wait() == .code(0))
        let extract = ["python3", "-m", "zipfile", "-e", directory.file("a.zip"), directory.file("out")]
        #expect(try ChildProcess(extract).wait() == .code(0))
        for (name, content) in files {
            #expect(try FileText.bytes(directory.file("out/\(name)")) == content, "\(name)")
        }
    }

    @Test func anArchiveWithoutFilesIsValid() throws {
        let directory = TemporaryDirectory()
        try Data(ZipArchive().finish()).write(to: URL(filePath: directory.file("a.zip")))
        #expect(try ChildProcess(["python3", "-m", "zipfile", "-t", directory.file("a.zip")]).wait() == .code(0))
    }
}
