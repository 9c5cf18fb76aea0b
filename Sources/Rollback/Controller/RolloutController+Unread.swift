/// Notification that a route cannot be read: then its split is unknown.
extension RolloutController {
    /// Pages people once about each route that cannot be read for `page_unread_after`, in every phase, and resolves the
    /// page when the route is read again.
    mutating func notifyOfUnread(at now: Instant) {
        for route in plan.services.flatMap({ routes(of: $0.name) }) {
            guard let since = self[route].view.unreadableSince else {
                guard let key = self[route].unreadPage else { continue }
                self[route].unreadPage = nil
                resolvePage(key, ", service \(route.service): \(name(of: route)) can be read again")
                continue
            }
            guard self[route].unreadPage == nil else { continue }
            let end = since + plan.pageUnreadAfter
            guard now >= end else {
                wake(at: end)
                continue
            }
            let last =
                self[route].view.readAt == nil
                ? "it was never read"
                : "last reading "
                    + (self[route].view.observed?.description ?? "no traffic")
            let page = page(
                "\(route)/unread",
                "plan \(plan.name), service \(route.service): \(name(of: route)) cannot be read, its split is unknown "
                    + "(\(last)): \(self[route].view.fault ?? "")")
            self[route].unreadPage = page
        }
    }
}
