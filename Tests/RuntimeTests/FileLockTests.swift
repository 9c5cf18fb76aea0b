import Glibc
import Runtime
import TestSupport
import Testing

@Suite struct FileLockTests {
    private let directory = TemporaryDirectory()

    private func opened() -> Int32 { open(directory.file("lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }

    @Test func oneHasItAtATime() {
        let (one, other) = (opened(), opened())
        defer { close(other) }
        #expect(FileLock.take(one))
        #expect(!FileLock.take(other))
        FileLock.close(one)
        #expect(FileLock.take(other))
    }

    /// Between `fork` and `exec` a child has a copy of every descriptor.
    @Test func aCopyOfTheDescriptorDoesNotKeepIt() {
        let (one, other) = (opened(), opened())
        let copy = dup(one)
        defer {
            close(copy)
            close(other)
        }
        #expect(FileLock.take(one))
        FileLock.close(one)
        #expect(FileLock.take(other))
    }
}
