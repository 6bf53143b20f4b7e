import rule from '../../rules/buffer-mutated-in-flight.js';
import { inFlightHits } from '../in-flight/analyse.js';
import { hitsByPlace, inFlightReport } from '../in-flight/report.js';
import { defineVisitor } from '../javascript-visitor.js';

export default defineVisitor(rule, (context) => ({
  Program() {
    for (const hit of hitsByPlace(inFlightHits(context), 'write')) {
      const messageId =
        hit.phase === 'partial' ? 'afterPartialFailure' : hit.isNextRound ? 'rewrittenInLoop' : 'written';
      context.report(inFlightReport(context, hit, messageId, 'The bytes change here.'));
    }
  },
}));
