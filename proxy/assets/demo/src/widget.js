// A small photo gallery as a site owner would embed it. It runs on other people's pages, so it keeps to itself (one
// shadow root, one global), never throws, never blocks, and leaves an empty place rather than a broken page.
//
//   <div id="overfall-widget"></div>
//   <script async src="https://edge.example/w/loader.js" data-overfall-widget data-photos="harbour,lake"></script>
//
// Photos come from the script's own host, resized by URL. build.py puts the dictionary, the previews and the style
// where @I18N@, @PREVIEWS@ and @STYLE@ stand, and takes comments and indentation away.
(function (window, document) {
  "use strict";
  var VERSION = "1.0.0";
  var WIDTHS = [320, 480, 640, 960, 1280];
  var SLIDE_MS = 5000;
  var DECODE_MS = 4000;
  // name: width and height as shown, dominant colour, index of the caption in a dictionary line
  var PHOTOS = {
    harbour: [1440, 1080, "#5d7f9f", 10],
    quay: [1360, 856, "#2b3540", 11],
    cranes: [1140, 1520, "#7898b6", 12],
    skyline: [1400, 985, "#7a94b4", 13],
    lake: [1600, 900, "#a9adaf", 14],
    leaf: [533, 800, "#c3d2db", 15],
    chain: [1060, 1600, "#8d8b89", 16],
    desk: [1500, 1000, "#b99f87", 17]
  };
  var RTL = { ar: 1, fa: 1, he: 1 };
  var I18N = @I18N@;
  var PREVIEWS = @PREVIEWS@;
  var STYLE = @STYLE@;
  var ICONS = {
    next: "M9 5l7 7-7 7",
    previous: "M15 5l-7 7 7 7",
    play: "M8 5.5v13l10.5-6.5z",
    stop: "M8 5v14M16 5v14",
    open: "M14 4h6v6M20 4l-8 8M18 14v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1h5",
    photos: "M4 5h16a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM3.5 17l5-5 4 4 3-3 5 5M16 9.5a1 1 0 1 0 .01 0",
    edge: "M13 3L5 13.5h6L10.5 21 19 10h-6.2z"
  };
  if (window.overfallWidget) {
    return;
  }
  var finish;
  var widget = {
    version: VERSION,
    painted: 0,
    ready: new Promise(function (resolve) { finish = resolve; })
  };
  window.overfallWidget = widget;
  var script = document.currentScript || document.querySelector("script[data-overfall-widget]");
  var base = "/";
  try {
    base = new URL("/", script && script.src || document.baseURI).href;
  } catch (error) {
    base = "/";
  }

  function setting(place, name) {
    return place && place.getAttribute("data-" + name) || script && script.getAttribute("data-" + name) || "";
  }

  function language(place) {
    var wishes = [setting(place, "lang")].concat(window.navigator.languages || [], document.documentElement.lang);
    for (var i = 0; i < wishes.length; i += 1) {
      var wish = String(wishes[i] || "").toLowerCase().replace("_", "-");
      if (wish === "zh-hk" || wish.indexOf("zh-hant") === 0) {
        wish = "zh-tw";
      }
      if (wish === "no" || wish === "nn" || wish.indexOf("no-") === 0) {
        wish = "nb";
      }
      var found = I18N[wish] ? wish : wish.split("-")[0];
      if (I18N[found]) {
        return found;
      }
    }
    return "en";
  }

  function source(name, options) {
    return base + "cdn-cgi/image/" + options + ",format=auto/photos/" + name + ".jpg";
  }

  function sourceSet(name) {
    return WIDTHS.filter(function (width) {
      return width <= PHOTOS[name][0] || width === WIDTHS[0];
    }).map(function (width) {
      return source(name, "width=" + width + ",quality=80") + " " + width + "w";
    }).join(", ");
  }

  function make(tag, properties, children) {
    var element = document.createElement(tag);
    Object.keys(properties || {}).forEach(function (key) {
      element.setAttribute(key, properties[key]);
    });
    (children || []).forEach(function (child) {
      element.appendChild(typeof child === "string" ? document.createTextNode(child) : child);
    });
    return element;
  }

  function icon(name) {
    var space = "http://www.w3.org/2000/svg";
    var svg = document.createElementNS(space, "svg");
    var path = document.createElementNS(space, "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", ICONS[name]);
    svg.appendChild(path);
    return svg;
  }

  function button(name, label, action) {
    var element = make("button", { type: "button", "class": "b " + name, "aria-label": label, title: label }, [icon(name)]);
    element.addEventListener("click", guarded(action));
    return element;
  }

  function guarded(action) {
    return function (event) {
      try {
        return action(event);
      } catch (error) {
        return undefined;
      }
    };
  }

  // Resolves to true when the picture is decoded, to false when it cannot be; never rejects, never waits for ever.
  function painted(image) {
    return new Promise(function (resolve) {
      function decoded() {
        var late = window.setTimeout(function () { resolve(image.naturalWidth > 0); }, DECODE_MS);
        var wait = image.decode ? image.decode() : Promise.resolve();
        wait.then(function () {
          window.clearTimeout(late);
          resolve(image.naturalWidth > 0);
        }, function () {
          window.clearTimeout(late);
          resolve(image.complete && image.naturalWidth > 0);
        });
      }
      if (image.complete && image.naturalWidth > 0) {
        decoded();
        return;
      }
      image.addEventListener("load", decoded, { once: true });
      image.addEventListener("error", function () { resolve(false); }, { once: true });
    });
  }

  function counted(image) {
    return painted(image).then(function (isPainted) {
      image.classList.add(isPainted ? "in" : "out");
      widget.painted += isPainted ? 1 : 0;
      return isPainted;
    });
  }

  // What the browser measured for a picture: "42 kB, 12 ms, memory; hit", as far as it tells.
  function measured(image) {
    var entries = window.performance && performance.getEntriesByName ? performance.getEntriesByName(image.currentSrc) : [];
    var entry = entries[entries.length - 1];
    if (!entry) {
      return "";
    }
    var parts = [Math.max(1, Math.round(entry.duration)) + " ms"];
    if (entry.encodedBodySize > 0) {
      parts.unshift(Math.max(1, Math.round(entry.encodedBodySize / 1000)) + " kB");
    }
    (entry.serverTiming || []).slice(0, 2).forEach(function (timing) {
      parts.push(timing.description || timing.name);
    });
    return parts.join(" \u00b7 ");
  }

  function Gallery(place, names) {
    this.names = names;
    this.index = 0;
    this.timer = 0;
    this.code = language(place);
    this.words = I18N[this.code];
    this.root = place.attachShadow ? place.shadowRoot || place.attachShadow({ mode: "open" }) : place;
    this.images = {};
  }

  Gallery.prototype.caption = function (name) {
    return this.words[PHOTOS[name][3]];
  };

  Gallery.prototype.position = function () {
    return this.words[3].replace("{n}", this.index + 1).replace("{m}", this.names.length);
  };

  Gallery.prototype.build = function () {
    var self = this;
    var words = this.words;
    this.frame = make("div", { "class": "f", tabindex: "0", role: "group", "aria-roledescription": "carousel", "aria-label": words[0] });
    this.text = make("span", { "class": "c" });
    this.count = make("span", { "class": "n", "aria-live": "polite" });
    this.note = make("span", { "class": "m" });
    this.link = make("a", { "class": "b open", target: "_blank", rel: "noopener", "aria-label": words[9], title: words[9] }, [icon("open")]);
    this.player = button("play", words[7], function () { self.toggle(); });
    this.strip = make("div", { "class": "s" }, this.names.map(function (name, index) { return self.thumb(name, index); }));
    this.frame.appendChild(make("div", { "class": "o" }, [this.text, this.count]));
    this.frame.appendChild(button("previous", words[2], function () { self.go(self.index - 1); }));
    this.frame.appendChild(button("next", words[1], function () { self.go(self.index + 1); }));
    this.frame.addEventListener("keydown", guarded(function (event) { self.key(event); }));
    var head = make("header", {}, [icon("photos"), make("b", {}, [words[0]]), this.player, this.link]);
    var foot = make("footer", {}, [icon("edge"), this.note]);
    var card = make("section", { "class": "k", lang: this.code, dir: RTL[this.code] ? "rtl" : "ltr" }, [head, this.frame, this.strip, foot]);
    this.root.replaceChildren(make("style", {}, [STYLE]), card);
  };

  Gallery.prototype.thumb = function (name, index) {
    var self = this;
    var image = make("img", {
      src: source(name, "width=144,height=108,fit=cover,quality=75"),
      width: "144", height: "108", alt: "", decoding: "async"
    });
    var element = make("button", { type: "button", "class": "t", "aria-label": this.caption(name), style: "background:" + PHOTOS[name][2] }, [image]);
    element.addEventListener("click", guarded(function () { self.go(index); }));
    this.images["thumb:" + name] = image;
    return element;
  };

  Gallery.prototype.picture = function (name) {
    var shape = PHOTOS[name];
    var image = this.images[name];
    if (!image) {
      image = make("img", {
        "class": "p", alt: this.caption(name), width: shape[0], height: shape[1], decoding: "async",
        sizes: "(max-width: 480px) 92vw, 420px", srcset: sourceSet(name), src: source(name, "width=640,quality=80")
      });
      this.images[name] = image;
    }
    return image;
  };

  // Shows one photo; what was shown before stays below it until the new one is painted.
  Gallery.prototype.go = function (wanted) {
    var self = this;
    var total = this.names.length;
    this.index = (wanted % total + total) % total;
    var name = this.names[this.index];
    var isKnown = !!this.images[name];
    var image = this.picture(name);
    this.frame.style.backgroundColor = PHOTOS[name][2];
    this.frame.style.backgroundImage = PREVIEWS[name] ? "url(data:image/jpeg;base64," + PREVIEWS[name] + ")" : "none";
    Array.prototype.forEach.call(this.frame.querySelectorAll("img"), function (other) {
      if (other !== image) {
        other.remove();
      }
    });
    this.frame.insertBefore(image, this.frame.firstChild);
    this.text.textContent = this.caption(name);
    this.count.textContent = this.position();
    this.link.href = base + "photos/" + name + ".jpg";
    this.note.textContent = this.words[6];
    Array.prototype.forEach.call(this.strip.children, function (element, index) {
      element.setAttribute("aria-current", String(index === self.index));
    });
    var settled = isKnown ? painted(image) : counted(image);
    return settled.then(function (isPainted) {
      if (self.names[self.index] === name) {
        self.note.textContent = isPainted ? measured(image) : self.words[5];
      }
      if (!isPainted) {
        delete self.images[name];
      }
      return isPainted;
    });
  };

  Gallery.prototype.key = function (event) {
    var forward = RTL[this.code] ? "ArrowLeft" : "ArrowRight";
    var back = RTL[this.code] ? "ArrowRight" : "ArrowLeft";
    if (event.key === forward) {
      this.go(this.index + 1);
    }
    if (event.key === back) {
      this.go(this.index - 1);
    }
  };

  Gallery.prototype.toggle = function () {
    var self = this;
    if (this.timer) {
      window.clearInterval(this.timer);
      this.timer = 0;
    } else {
      this.timer = window.setInterval(guarded(function () { self.go(self.index + 1); }), SLIDE_MS);
    }
    var label = this.words[this.timer ? 8 : 7];
    this.player.replaceChildren(icon(this.timer ? "stop" : "play"));
    this.player.setAttribute("aria-label", label);
    this.player.setAttribute("title", label);
  };

  Gallery.prototype.start = function () {
    var self = this;
    this.build();
    var first = this.go(0);
    var thumbs = this.names.map(function (name) { return counted(self.images["thumb:" + name]); });
    return Promise.all([first].concat(thumbs));
  };

  function mountPoint() {
    var place = document.getElementById("overfall-widget");
    if (!place && script && script.parentNode && script.parentNode !== document.head) {
      place = make("div", { id: "overfall-widget" });
      script.parentNode.insertBefore(place, script);
    }
    return place;
  }

  function run() {
    try {
      var place = mountPoint();
      if (!place) {
        finish(0);
        return;
      }
      var names = setting(place, "photos").split(",").map(function (name) {
        return name.trim();
      }).filter(function (name, index, all) {
        return Object.prototype.hasOwnProperty.call(PHOTOS, name) && all.indexOf(name) === index;
      });
      var gallery = new Gallery(place, names.length ? names : Object.keys(PHOTOS));
      gallery.start().then(function () { finish(widget.painted); }, function () { finish(widget.painted); });
    } catch (error) {
      finish(widget.painted);
    }
  }

  if (document.readyState === "loading" && !document.getElementById("overfall-widget")) {
    document.addEventListener("DOMContentLoaded", run, { once: true });
  } else {
    window.setTimeout(run, 0);
  }
})(window, document);
