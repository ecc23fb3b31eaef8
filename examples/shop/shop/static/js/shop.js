// Small helpers of all pages.
(function () {
  // Longest names first, so that the narrow column breaks fewer lines.
  function sortBrands(list) {
    var placed = [];
    Array.prototype.slice.call(list.children).forEach(function (item) {
      var index = 0;
      while (
        index < placed.length &&
        placed[index].querySelector("span").offsetWidth >= item.querySelector("span").offsetWidth
      ) {
        index += 1;
      }
      placed.splice(index, 0, item);
      list.insertBefore(item, list.children[index]);
    });
  }

  function showPromotion() {
    fetch("/promotion")
      .then(function (response) { return response.json(); })
      .then(function (promotion) {
        var banner = document.createElement("div");
        banner.className = "promotion";
        banner.textContent = promotion.text;
        document.body.insertBefore(banner, document.body.firstChild);
      });
  }

  function askAssistant(section) {
    fetch("/p/" + section.dataset.product + "/questions").then(function (response) {
      return response.json();
    }).then(function (answers) {
      var list = section.querySelector("dl");
      list.textContent = answers.error || "";
      (answers.error ? [] : answers).forEach(function (entry) {
        list.appendChild(document.createElement("dt")).textContent = entry.question;
        list.appendChild(document.createElement("dd")).textContent = entry.answer;
      });
    });
  }

  window.addEventListener("load", showPromotion);
  document.addEventListener("DOMContentLoaded", function () {
    var sort = document.getElementById("sort-brands");
    if (sort) {
      sort.addEventListener("click", function () {
        sortBrands(document.getElementById("brands"));
      });
    }
    var questions = document.querySelector("#questions button");
    if (questions) {
      questions.addEventListener("click", function () {
        askAssistant(document.getElementById("questions"));
      });
    }
  });
})();
