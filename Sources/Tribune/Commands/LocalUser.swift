internal import Glibc
internal import History

/// The user of the operating system who runs a command.
enum LocalUser {
    /// The identity confirmed by the operating system. `SUDO_USER` is only a claim.
    static var actor: LedgerActor {
        let user = unsafe getpwuid(getuid()).map { unsafe String(cString: $0.pointee.pw_name) } ?? "uid \(getuid())"
        let claimed = unsafe getenv("SUDO_USER").map { unsafe String(cString: $0) }
        return LedgerActor(identity: user, method: "unix", claimed: claimed)
    }
}
