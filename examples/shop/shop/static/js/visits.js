// Keeps the history of the visit, for "continue where you left".
(function () {
  var KEY = "fieldstone-visits";
  var LIMIT = 2000;
  var visits = JSON.parse(localStorage.getItem(KEY) || "[]");
  visits.push({ path: location.pathname, at: Date.now(), width: window.innerWidth });
  localStorage.setItem(KEY, JSON.stringify(visits.slice(-LIMIT)));

  var counts = {};
  visits.forEach(function (visit) {
    counts[visit.path] = visits.filter(function (other) {
      return other.path === visit.path;
    }).length;
  });
  window.visitCounts = counts;
})();
