internal import Glibc

/// Users of the operating system.
public enum SystemUser {
    /// The name of the user with this ID; `uid N` if it has none.
    public static func name(_ user: UInt32) -> String {
        var entry = unsafe passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        let code = unsafe getpwuid_r(user, &entry, &buffer, buffer.count, &found)
        guard code == 0, let found = unsafe found, let name = unsafe found.pointee.pw_name else { return "uid \(user)" }
        return unsafe String(cString: name)
    }
}
