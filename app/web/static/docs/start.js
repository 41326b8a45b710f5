"use strict";
SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  deepLinking: true,
  persistAuthorization: false,
  // The online validator would be sent the address of the document.
  validatorUrl: null,
});
