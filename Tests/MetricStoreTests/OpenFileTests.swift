import Testing

@testable import MetricStore

@Suite struct OpenFileTests {
    @Test func aFullDiskIsReportedWithTheDirectory() throws {
        // Accepts no byte, and reports that there is no space.
        let file = try OpenFile("/dev/full", create: false)
        let expected = StoreError(.system, "no disk space for samples in /dev: No space left on device")
        #expect(throws: expected) { try file.append([1, 2, 3]) }
        #expect(throws: expected) {
            try [UInt8](repeating: 1, count: 10).withBytes { (bytes) throws(StoreError) in try file.write(bytes, at: 0)
            }
        }
    }

    @Test func otherFailuresNameTheFile() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/rows/1"
        #expect(throws: StoreError(.system, "cannot create \(path).new: No such file or directory")) {
            _ = try OpenFile.make(path) { _ in }
        }
    }
}
