import Durable
import Glibc
import Runtime
import TestSupport
import Testing

@Suite struct DurableFileTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("content") }

    @Test func theContentIsReplacedAndNothingElseIsLeft() throws {
        try DurableFile.replace(path, by: "old")
        try DurableFile.replace(path, by: "new")
        #expect(FileText.read(path) == "new")
        #expect(Paths.matching(directory.file("*")) == [path])
        var information = stat()
        stat(path, &information)
        #expect(information.st_mode & 0o777 == 0o600)
    }

    @Test func aFullDiskLeavesTheOldContent() throws {
        try DurableFile.replace(path, by: "old")
        symlink("/dev/full", path + ".new")
        let error = #expect(throws: DurableError.self) {
            try DurableFile.replace(path, by: [UInt8](repeating: 1, count: 1000))
        }
        #expect(error?.description == "\(path).new: cannot write: No space left on device")
        #expect(FileText.read(path) == "old")
        #expect(!Paths.exists(path + ".new"))
    }

    @Test func aMissingDirectoryIsAnErrorThatNamesTheFile() {
        let error = #expect(throws: DurableError.self) { try DurableFile.replace("/nonexistent/f", by: "") }
        #expect(error?.description == "/nonexistent/f.new: cannot create: No such file or directory")
    }

    @Test func filesThatAreSetAsideGetTheFirstFreeNumber() throws {
        for number in 1...2 {
            try DurableFile.replace(path, by: "\(number)")
            #expect(try DurableFile.setAside(path) == "\(path).damaged-\(number)")
        }
        #expect(FileText.read("\(path).damaged-2") == "2")
        #expect(!Paths.exists(path))
    }
}
